"""The CI system that runs us: its event, its log, its pull requests."""
