"""The pages of the documentation site, for mkdocs: this repository's own files, as they are.

Each keeps its path, so that the links between them hold: `docs/cli.md` is the file of that name,
`notebooks/00-start.md` is made from the notebook, `reference.md` from the package. mkdocs.yml has
their order.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tools.site import lesson, reference

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("*.md", "docs/*.md", "k8s/model/README.md")
# a file that pages link to: a browser shows a picture as it is, and all else as text
_LINKED = re.compile(r"\]\((?:\.\./)*([\w./-]+\w)\)")
_HAS_A_PAGE = (".md", ".ipynb")
_PICTURES = ".svg"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every page, and the files that they link to."""
    from mkdocs.structure.files import File

    pages = sorted(page for pattern in PAGES for page in ROOT.glob(pattern))
    for page in pages:
        name = str(page.relative_to(ROOT))
        files.append(File.generated(config, name, abs_src_path=str(page)))
    linked = {name for page in pages for name in _LINKED.findall(page.read_text())}
    for name in sorted(name for name in linked if (ROOT / name).is_file()):
        if name.endswith(_HAS_A_PAGE):
            continue
        file = File.generated(config, name, abs_src_path=str(ROOT / name))
        if not name.endswith(_PICTURES):
            file.dest_uri = f"{name}.txt"
        files.append(file)
    for notebook in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = lesson.page(notebook, lesson.executed(notebook))
        files.append(File.generated(config, f"notebooks/{notebook.stem}.md", content=text))
    files.append(File.generated(config, "reference.md", content=reference.page()))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Let a link to a notebook lead to its page."""
    return lesson.linked(markdown)
