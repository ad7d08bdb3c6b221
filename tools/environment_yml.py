"""Writes environment.yml (for conda) from pyproject.toml.

Run by hand when a pin has changed: `python tools/environment_yml.py`.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def text(pyproject: dict) -> str:
    """What environment.yml must hold for this pyproject.toml.

    >>> print(text({"project": {"name": "x", "requires-python": ">=3.11",
    ...                         "dependencies": ["rich==15.0.0"]}}), end="")
    # Generated from pyproject.toml by `python tools/environment_yml.py`; edit that one.
    name: x
    channels:
      - conda-forge
    dependencies:
      - python>=3.11
      - pip
      - pip:
          - rich==15.0.0
          - --editable .
    """
    project = pyproject["project"]
    lines = [
        "# Generated from pyproject.toml by `python tools/environment_yml.py`; edit that one.",
        f"name: {project['name']}",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python{project['requires-python']}",
        "  - pip",
        "  - pip:",
        *[f"      - {pin}" for pin in project["dependencies"]],
        "      - --editable .",
    ]
    return "\n".join(lines) + "\n"


def wanted(root: Path = ROOT) -> str:
    """What environment.yml in this folder must hold."""
    return text(tomllib.loads((root / "pyproject.toml").read_text()))


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(wanted())
