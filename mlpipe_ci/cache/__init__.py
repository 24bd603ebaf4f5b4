"""Keeps results and contents: has, save, restore. A fault of it is a miss, never an error."""
