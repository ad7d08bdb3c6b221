"""docs/answer.svg, README's picture: what notebook 00 and labkit print, in two colour schemes."""

import json
import xml.etree.ElementTree as ET
from itertools import product
from pathlib import Path

import pytest

from tools import picture

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def asked() -> picture.Asked:
    return picture.asked()


def words(svg: str) -> list[str]:
    """The text of each line of the picture."""
    return [
        "".join(text.itertext()) for text in ET.fromstring(svg).iter() if text.tag[-4:] == "text"
    ]


def test_the_picture_is_what_the_notebook_and_labkit_print(asked):
    assert picture.FILE.read_text() == picture.wanted(asked), "run: python tools/picture.py"


def test_it_quotes_the_cells_and_the_command_the_answer_and_its_cost(asked):
    shown = words(picture.FILE.read_text())
    sources = [source for _, source, _ in asked.code]
    assert len(sources) == 2
    assert set(sources) < set(shown)
    text = " ".join(shown)
    assert "$ kubectl exec pod/ollama -- ollama run" in text
    assert "A Pod is the smallest thing Kubernetes runs" in text
    assert "✓ 51 tokens in 0.30 s" in text
    assert shown[-1].startswith("51 tokens, ")


def test_a_notebook_that_asks_something_else_would_be_found(asked, tmp_path):
    book = picture.NOTEBOOK.read_text().replace("What is a Pod?", "What is a Service?")
    (tmp_path / "00-start.ipynb").write_text(book)
    changed = picture.wanted(picture.asked(tmp_path / "00-start.ipynb"))
    assert changed != picture.wanted(asked)
    assert "'What is a Service?'" in changed


def test_the_numbers_of_the_cells_are_those_of_a_first_run(asked):
    cells = [
        c for c in json.loads(picture.NOTEBOOK.read_text())["cells"] if c["cell_type"] == "code"
    ]
    for number, source, _ in asked.code:
        assert "".join(cells[number - 1]["source"]) == source


def test_the_readme_shows_it_with_its_words_for_those_who_do_not_see_it(asked):
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"![{picture.alt(asked)}](docs/answer.svg)" in readme


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("shade", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read_on_what_is_behind_it(shade):
    colours = {name: shades[shade] for name, shades in picture.COLOURS.items()}
    for text, back in product(("text", "prompt", "string"), ("page", "cell", "bar")):
        dark, light = sorted((luminance(colours[text]), luminance(colours[back])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, back)  # WCAG 2, AA


def test_it_is_a_small_text_that_loads_nothing():
    svg = picture.FILE.read_text()
    assert len(svg) < 10_000
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not {"script", "image", "use"} & {
        one.tag.rpartition("}")[2] for one in ET.fromstring(svg).iter()
    }
