"""Shares results between machines through an object store. A fault of it is a miss, never an error.

`shared` is what the rest of mlpipe sees: the local store, with another one behind it. Below it:
`index` (which results are there), `downloads`, `uploads`, and `wire`, through which each request
goes. `care` looks after what lies there; `pack` bounds what travels in GitHub's own cache.
"""
