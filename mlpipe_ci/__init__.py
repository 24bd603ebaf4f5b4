"""mlpipe: runs a machine-learning workflow, and only the part that a change made necessary."""

__version__ = "0.1.0"
