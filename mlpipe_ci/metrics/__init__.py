"""Metrics, gates, plots and history."""
