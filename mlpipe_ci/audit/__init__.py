"""Proofs: a reused result is what its step makes again; what a commit claims is in the cache."""
