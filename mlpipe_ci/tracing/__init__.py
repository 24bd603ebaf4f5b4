"""Watches what a command reads and writes. A tracer never changes what a step does.

`select` has the table of tracers. The built-in ones are one program, `seccomp/supervisor.py`,
between mlpipe and the command. It is started for each command, so nothing is imported here: each
module that it can do without saves time.
"""
