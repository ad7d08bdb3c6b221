"""The whole workshop in one file: saved with a network, checked, and brought up without one."""
