"""One file a command: its whole story, top to bottom. Imported only when it is called.

A command takes options, the environment, and where to print: `out` for what was asked for, `err`
for all else. It returns the exit code.
"""

COMMANDS = {
    "run": "mlpipe_ci.commands.run",
    "plan": "mlpipe_ci.commands.plan",
    "cache": "mlpipe_ci.commands.cache",
    "explain": "mlpipe_ci.commands.explain",
    "validate": "mlpipe_ci.commands.validate",
    "graph": "mlpipe_ci.commands.graph",
    "trace": "mlpipe_ci.commands.trace",
    "logs": "mlpipe_ci.commands.logs",
    "report": "mlpipe_ci.commands.report",
    "metrics": "mlpipe_ci.commands.metrics",
    "show": "mlpipe_ci.commands.show",
    "runs": "mlpipe_ci.commands.runs",
    "watch": "mlpipe_ci.commands.watch",
    "doctor": "mlpipe_ci.commands.doctor",
}
