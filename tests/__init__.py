"""Tests. `<room>/test_<module>.py` mirrors `mlpipe_ci/<room>/<module>.py`.

`scenarios` are stories of whole runs, `models` hold random cases against a plain model, `project`
is about the repository itself, and `support` is what tests share.
"""
