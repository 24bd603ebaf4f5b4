"""One file a command: its example, its options and what it does. Imported only when it is called.

The file of a command has four names:

* `EXAMPLE`, the end of its help;
* `Options`, a frozen dataclass: what the command line says, a field for each argument;
* `add_arguments(parser)`, which adds those arguments; groups that commands share: `cli.options`;
* `main(options, env, out, err)`, which returns the exit code: `out` takes what was asked for, `err`
  all else.
"""

COMMANDS = {
    "run": "run the steps that are needed, in order",
    "plan": "say what a run would do, and why",
    "explain": "show what decides a step, and what differs from its last success",
    "validate": "check workflow files",
    "cache": "look after the local cache, and the remote one",
    "graph": "show which step needs which",
    "show": "say which result made a file, and from what",
    "audit": "run reused steps again in a copy, and compare what they leave byte for byte",
    "verify": "prove from keys alone that results in the cache belong to this commit",
    "trace": "show what steps were seen to read and write and do not declare",
    "logs": "print what steps printed, in the last run or an earlier one",
    "metrics": "show the metrics beside those of the base, and the params that differ",
    "report": "show a run's report as Markdown or HTML, or post it on its pull request",
    "runs": "list the last runs in this work tree",
    "watch": "run, and run again whenever something changes that a step reads",
    "doctor": "say what works on this machine: git, caches, tracers",
}
"""Commands and their help, in the order of `mlpipe --help`; the command `plan` is in `plan.py`."""
