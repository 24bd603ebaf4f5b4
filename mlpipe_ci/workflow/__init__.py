"""Reads the workflow file: a `Workflow`, or all that is wrong with it."""
