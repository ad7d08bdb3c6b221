"""JupyterLab on the learner's copies, and notebooks run and linted.

To import this is to import nbformat sooner: jsonschema's check of IRIs stays away, which no schema
of a notebook asks for, and whose grammar is built anew in each process that reads notebooks, for
2 of its 2.6 seconds. pytest does so first of all (pyproject.toml).
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema takes that for "not installed"
