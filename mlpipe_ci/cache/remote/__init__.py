"""Shares results between machines through an object store. A fault of it is a miss, never an error.

`shared_store` is what the rest of mlpipe sees: the local store, with a remote one behind it. Below:
`index` (which results are there), `downloads`, `uploads`, and `client`, which makes each request.
`maintenance` lists and collects; `actions_cache` bounds what travels in GitHub's own cache.
"""
