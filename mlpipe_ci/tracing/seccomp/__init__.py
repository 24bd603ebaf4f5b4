"""The first tracer: a seccomp filter and a supervisor."""
