"""Decides each step: collects the evidence, and says run, reuse, skip or maybe, with reasons."""
