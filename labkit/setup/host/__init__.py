"""This machine: its folders, processes, downloads, Python and Docker."""
