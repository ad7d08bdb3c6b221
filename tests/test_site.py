"""The documentation site: it builds with strict links, whole, and loads nothing from elsewhere."""

import json
import re
import resource
import subprocess
import sys
import time
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

import labkit
from labkit.commands import docs
from labkit.diagnosis.ranking import ROWS
from labkit.errors import BuildFailed
from labkit.setup.host import speed
from labkit.ui.chart import Chart
from labkit.ui.table import Table

ROOT = Path(__file__).parents[1]
LIMIT_S = 20.0  # of a processor, to build it on the reference machine
# What the theme's script would load, and when; none of it is so here, as the tests below see.
CONDITIONAL = {
    "https://unpkg.com/mermaid@11/dist/mermaid.min.js": 'class="mermaid"',
    "https://unpkg.com/resize-observer-polyfill": None,  # for browsers from before 2020
    "https://api.github.com/": 'data-md-component="source"',
    "https://${e}/api/v4/projects/": 'data-md-component="source"',
    "https://bit.ly/2s3ChXG": None,  # in a message of lunr to those who program with it
}
CREDITS = re.compile(r"/\*.*?\*/|<!--.*?-->", re.DOTALL)
OTHER_LANGUAGES = "lunr"  # the folder of the search's parts for languages that this site has not


TABLE = Table(["NAME", "STATUS"], [["ollama", "Running"]], caption="one Pod")
CHART = Chart("Load", "users", "tokens/s", {"1 replica": [(1, 9.5), (2, 11)]})


def proved(folder: Path, name: str, values: list) -> None:
    """A copy of that lesson as a run that passed keeps it, with these values shown by one cell."""
    book = json.loads((ROOT / "notebooks" / name).read_text())
    shown = [
        {"output_type": "execute_result", "data": {"text/html": value._repr_html_()}}
        for value in values
    ]
    next(cell for cell in book["cells"] if cell["cell_type"] == "code")["outputs"] = shown
    facts = {"seconds": 43.2, "failed": "", "ended": "2026-11-30T10:00:00+00:00"}
    book["metadata"]["labkit"] = facts
    (folder / name).write_text(json.dumps(book))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, float]:
    """The site as `./lab docs` builds it, and the processor's seconds that it took.

    One lesson has outputs, whatever was run in this clone.
    """
    folder, artifacts = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("artifacts")
    proved(artifacts, "00-start.ipynb", [TABLE, CHART])
    begun, used_s = time.monotonic(), processor_s()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_ARTIFACTS", str(artifacts))
        docs.build(folder)
    used_s = processor_s() - used_s
    took_s = time.monotonic() - begun
    print(f"the site was built in {took_s:.1f} s, {used_s:.1f} s of them on a processor")
    return folder, used_s


def processor_s() -> float:
    """What the programs that this one has run took of a processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def site(built) -> Path:
    return built[0]


class Loaded(HTMLParser):
    """The addresses that a browser loads for a page, without a click of its reader."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attributes}
        self._in_style = tag == "style"
        names = ["src", "srcset", "poster", "data", "style"]
        # a canonical link and the like are read by search engines
        if tag == "link" and not {"canonical", "prev", "next", "edit"} & {named.get("rel")}:
            names.append("href")
        if tag == "use":
            names += ["href", "xlink:href"]
        for name in names:
            value = named.get(name, "")
            self.urls += loaded_by_style(value) if name == "style" else [value] * bool(value)

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.urls += loaded_by_style(data)


def loaded_by_style(text: str) -> list[str]:
    """The addresses in a style sheet that it loads."""
    text = CREDITS.sub("", text)
    found = re.findall(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)", text)
    return [url or imported for url, imported in found]


def foreign(urls: list[str]) -> list[str]:
    return [url for url in urls if re.match(r"(?:[a-z]+:)?//", url.strip(), re.IGNORECASE)]


def pages(site: Path) -> dict[str, str]:
    return {str(file.relative_to(site)): file.read_text() for file in sorted(site.rglob("*.html"))}


def test_it_is_built_in_time(built):
    # other programs that run meanwhile do not count
    assert built[1] < speed.deadline(LIMIT_S)


def test_every_page_lesson_and_public_name_is_in_it(site):
    found = pages(site)
    sources = [*(ROOT / "docs").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    wanted = {f"{file.parent.name}/{file.stem}/index.html" for file in sources}
    assert wanted - set(found) == set()
    assert "Quick start" in found["index.html"]
    names = re.findall(r'<h3 id="labkit\.(\w+)"', found["reference/index.html"])
    assert sorted([*names, "model"]) == sorted(labkit.__all__)


def test_a_lesson_shows_the_outputs_of_its_run_as_the_notebook_does(site):
    page = pages(site)["notebooks/00-start/index.html"]
    assert "a run on 2026-11-30 in a real cluster, which passed in 43 s" in page
    assert '<div class="lab-output" data-search-exclude>' in page
    (table,) = re.findall(r"<table style=.*?</table>", page, re.DOTALL)[:1]
    assert table == TABLE._repr_html_()
    assert re.search(r'<img alt="[^"]*1 replica[^"]*" src="data:image/svg\+xml;base64,', page)
    others = [text for name, text in pages(site).items() if name.startswith("notebooks/0")][1:]
    assert len(others) > 5
    assert [text for text in others if "This page has no outputs" not in text] == []


def test_the_start_page_shows_its_picture_as_one(site):
    (picture,) = re.findall(
        r'<img alt="Notebook 00[^"]*[^>]* src="([^"]+)"', pages(site)["index.html"]
    )
    assert (site / picture).suffix == ".svg"  # a server sends any other kind as text
    assert (site / picture).read_text() == (ROOT / "docs/answer.svg").read_text()


def test_the_reference_has_signatures_and_examples(site):
    page = re.sub(r"<[^>]+>", "", pages(site)["reference/index.html"])
    assert "rm: bool = False" in page
    assert 'lab.run("ollama", image="ollama/ollama")' in unescape(page)
    assert ">>> pods.column" in unescape(page)


@pytest.mark.parametrize("kind", ["html", "css"])
def test_no_page_and_no_style_loads_anything_from_elsewhere(site, kind):
    files = sorted(site.rglob(f"*.{kind}"))
    assert files
    for file in files:
        text = file.read_text()
        urls = Loaded(text).urls if kind == "html" else loaded_by_style(text)
        assert foreign(urls) == [], file


def test_the_scripts_know_only_addresses_that_they_do_not_load_here(site):
    scripts = [file for file in site.rglob("*.js") if OTHER_LANGUAGES not in file.parts]
    assert '"lang":["en"]' in (site / "search/search_index.json").read_text()
    code = "\n".join(CREDITS.sub("", file.read_text()) for file in scripts)
    addresses = set(re.findall(r"https?://[^\"'`\s)]*|[\"'`]//[\w-]+\.[^\"'`\s)]*", code))
    assert scripts
    assert [a for a in addresses if not a.startswith(tuple(CONDITIONAL))] == []
    html = "".join(pages(site).values())
    assert [sign for sign in CONDITIONAL.values() if sign and sign in html] == []


def test_what_a_page_would_load_from_elsewhere_would_be_found():
    html = """<link rel="canonical" href="https://a"><a href="https://b">b</a><img src="c.png">
        <script src="https://d"></script><link rel="stylesheet" href="//e">
        <style>@import "https://f"; p {background: url(https://g)}</style>
        <p style="background: url('https://h')">"""
    assert foreign(Loaded(html).urls) == ["https://d", "//e", "https://f", "https://g", "https://h"]


def test_the_search_knows_every_mistake_by_its_symptom(site):
    index = json.loads((site / "search/search_index.json").read_text())["docs"]
    found = {entry["location"]: entry for entry in index}
    for mistake in ROWS:
        assert f"docs/troubleshooting/#{mistake.id}" in found


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path, monkeypatch):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages/index.md").write_text("# One\n\n[there](two.md) and [here](#three)\n")
    own = "docs_dir: pages\nhooks: []\nnav: [index.md]\nextra_css: []\nplugins: []\n"
    config = tmp_path / "mkdocs.yml"
    config.write_text(f"INHERIT: {ROOT / 'mkdocs.yml'}\n{own}")
    monkeypatch.setattr(docs, "CONFIG", config)
    with pytest.raises(BuildFailed) as raised:
        docs.build(tmp_path / "html")
    saw = str(raised.value).splitlines()[1]
    assert saw.startswith("saw: WARNING - Doc file 'index.md' contains a link 'two.md'")
    assert "'#three'" in raised.value.log.read_text()
    (tmp_path / "pages/index.md").write_text("# One\n\n[here](#one)\n")
    docs.build(tmp_path / "html")


def test_it_is_built_by_what_the_tests_install():
    words = [sys.executable, "-P", "-m", "mkdocs", "--version"]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    docs.check_tools()
