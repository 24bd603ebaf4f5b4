"""Shows a run as it goes."""
