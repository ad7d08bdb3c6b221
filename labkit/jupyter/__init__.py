"""JupyterLab on the learner's copies, and notebooks run and linted.

It keeps jsonschema's check of IRIs away. No schema of a notebook needs that check. It builds
its grammar in each process that reads notebooks: 2 of the 2.6 seconds of `import nbformat`.
pytest loads this first of all (pyproject.toml).
"""

import sys

sys.modules.setdefault("rfc3987_syntax", None)  # jsonschema takes that for "not installed"
