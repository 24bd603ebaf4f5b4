"""The repository: git, the work tree with its digests, and what changed."""
