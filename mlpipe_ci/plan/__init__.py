"""Decides each step: gathers the evidence, and says run, reuse, skip or maybe, with reasons."""
