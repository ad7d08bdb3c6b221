"""`python -m labkit.jupyter.labapp`: JupyterLab, which starts sooner by what this package omits."""

from __future__ import annotations

import sys

from jupyterlab.labapp import main

if __name__ == "__main__":
    sys.exit(main())
