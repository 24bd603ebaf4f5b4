"""Carries a plan out: schedules, runs, reuses and saves."""
