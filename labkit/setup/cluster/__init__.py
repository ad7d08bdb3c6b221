"""The kind cluster and what runs in it and beside it."""
