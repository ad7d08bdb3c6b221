"""The pages of the documentation site, for mkdocs: this repository's own files, as they are.

Each keeps its path, so that the links between them hold: `docs/cli.md` is the file of that name,
`notebooks/00-start.md` is made from the notebook, `reference.md` from the package. mkdocs.yml has
their order.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tools.site import lesson, reference

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[2]
LINKED = ("LICENSE", "pyproject.toml")  # files that pages link to; a browser shows them as text


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every page, and the files that they link to."""
    from mkdocs.structure.files import File

    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]):
        name = str(page.relative_to(ROOT))
        files.append(File.generated(config, name, abs_src_path=str(page)))
    for name in LINKED:
        file = File.generated(config, name, abs_src_path=str(ROOT / name))
        file.dest_uri = f"{name}.txt"
        files.append(file)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = lesson.page(notebook, lesson.executed(notebook))
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=text))
    files.append(File.generated(config, "reference.md", content=reference.page()))
    return files
