"""Proves notebooks: runs them by nbval in the real cluster, and lints them."""
