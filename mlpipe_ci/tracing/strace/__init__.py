"""The second tracer: strace."""
