"""Data that git does not have: asked for its version, fetched, put in its place."""
