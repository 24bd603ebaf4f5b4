"""Watches what a command reads and writes. A tracer never changes what a step does.

`supervisor` is a program of its own between mlpipe and the command. It uses the first of these that
the system allows: `notify` (seccomp user notification), `strace`, none. It is started for each
command, so nothing is imported here: each module that it can do without saves time.
"""
