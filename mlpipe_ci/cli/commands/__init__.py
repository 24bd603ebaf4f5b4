"""One file a command: its whole story, top to bottom. Imported only when it is called.

A command takes options, the environment, and where to print: `out` for what was asked for, `err`
for all else. It returns the exit code.
"""

COMMANDS = {
    "run": "mlpipe_ci.cli.commands.run",
    "plan": "mlpipe_ci.cli.commands.plan",
    "cache": "mlpipe_ci.cli.commands.cache",
    "explain": "mlpipe_ci.cli.commands.explain",
    "validate": "mlpipe_ci.cli.commands.validate",
    "graph": "mlpipe_ci.cli.commands.graph",
    "trace": "mlpipe_ci.cli.commands.trace",
    "logs": "mlpipe_ci.cli.commands.logs",
    "report": "mlpipe_ci.cli.commands.report",
    "metrics": "mlpipe_ci.cli.commands.metrics",
    "show": "mlpipe_ci.cli.commands.show",
    "runs": "mlpipe_ci.cli.commands.runs",
    "watch": "mlpipe_ci.cli.commands.watch",
    "doctor": "mlpipe_ci.cli.commands.doctor",
}
