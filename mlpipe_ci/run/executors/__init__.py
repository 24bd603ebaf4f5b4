"""Where commands run. A table with an entry for each executor; nothing else is imported here."""

EXECUTORS = {
    "local": "mlpipe_ci.run.executors.local:open_local",
}
"""By the names that `--executor` takes: the import path of what makes an `Executor` from an
`ExecutorContext`.
"""
DEFAULT_EXECUTOR = "local"
