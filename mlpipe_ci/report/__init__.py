"""A run in words. One file for each rendering, all from the same values, all pure."""
