"""docs/style.md, as far as a list of words can hold it, over every text that people read."""

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import labkit

ROOT = Path(__file__).parents[1]
PROGRAMS = "it|Ollama|Kubernetes|kubectl|Helm|hey|Prometheus|labkit|server|Pod|Service|cluster|API"
PROGRAMS += "|client|command|proxy|probe|check|test|tool|error|log|line|answer|message|notebook"
# what is not written → what is
DENIED = {
    r"\banew\b": "again",
    r"\b(?:no|some|any|every)body\b": "who it is: a client, another process, no Pod",
    r"\bfor who\b|\bwhoever\b": "for people who, anyone who",
    r"\bmend(?:s|ed|ing)?\b": "fix, repair, correct",
    r"\bwithout a word\b": "by default, without an argument",
    r"(?<!there )\b(?:is|are|was|were) no\b(?! longer)": "is not a",
    r"\bby (?:itself|themselves)\b": "by default, automatically, alone",
    r"\bgoes\b(?! (?:up|down|wrong))": "is deleted, ends, leads to",
    r"\bgo(?:es|ing)? on\b|\bwent on\b": "continue",
    r"\bfor good\b": "permanently",
    r"\b(?:says?|said|hears?) no\b": "rejects, refuses",
    rf"\b(?:{PROGRAMS}) (?:says|said|tells|told|asks|asked|speaks)\b": "reports, prints, queries",
}
MOST_SEMICOLONS = 1  # in a sentence
SOURCES = sorted((ROOT / "labkit").rglob("*.py"))


def prose(markdown: str) -> str:
    """The words of a page, without its code and the targets of its links."""
    text = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<code>.*?</code>|`[^`]*`", "`…`", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def sentences(text: str) -> list[str]:
    """The sentences; a cell of a table and an item of a list end one too."""
    parts = re.split(r"(?<=[.!?:])\s|\n\s*\n|\||\n\s*(?:-|\d+\.|#+)\s", text)
    return [" ".join(part.split()) for part in parts if part.strip()]


def findings(text: str) -> list[str]:
    """Each place where the text is not as docs/style.md wants it, with what to write instead."""
    found = []
    for sentence in sentences(text):
        for pattern, instead in DENIED.items():
            words = re.findall(pattern, sentence, re.IGNORECASE)
            found += [f"{word!r} (write: {instead}): {sentence}" for word in words]
        if sentence.count(";") > MOST_SEMICOLONS:
            found.append(f"{sentence.count(';')} semicolons: {sentence}")
    return found


def pages() -> dict[str, str]:
    """Where → the prose of every Markdown page, and of each Markdown cell of the notebooks."""
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / ".github").glob("*.md")]
    texts = {str(file.relative_to(ROOT)): prose(file.read_text()) for file in sorted(files)}
    for file in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for at, cell in enumerate(json.loads(file.read_text())["cells"]):
            if cell["cell_type"] == "markdown":
                texts[f"notebooks/{file.name} cell {at}"] = prose("".join(cell["source"]))
    return texts


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The line and the text of every string in the code; docstrings are not among them."""
    left_out: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            left_out.add(node.value)  # a docstring
        elif isinstance(node, ast.JoinedStr):
            left_out.update(ast.walk(node))
            parts = [getattr(part, "value", "") for part in node.values]
            yield node.lineno, "".join(part if isinstance(part, str) else "…" for part in parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node not in left_out and isinstance(node.value, str):
            yield node.lineno, node.value


def docstrings(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """The name and the docstring, without its examples and drawings, of each part of a module."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (ast.get_docstring(node) or "").splitlines()
            kept = [line for line in lines if not re.match(r"    |>>> |\.\.\. |.*[├└]── ", line)]
            yield getattr(node, "name", "the module"), "\n".join(kept)


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_docstring_of_the_package_is_written_as_the_style_wants(file):
    parts = docstrings(ast.parse(file.read_text()))
    found = [(name, finding) for name, text in parts for finding in findings(prose(text))]
    assert found == []


# how a sentence begins that does not say what to do
NOT_COMMANDS = re.compile(r"(?:A|An|The|One|Every|What|Who|Is|Does|Would|[A-Z][a-z]+s)\b")


@pytest.mark.parametrize(
    "name", [name for name in labkit._HOMES if name not in ("Chart", "LabError", "Table")]
)
def test_the_docstring_of_every_public_function_begins_with_a_command(name):
    first = inspect.getdoc(getattr(labkit, name)).splitlines()[0]
    assert not NOT_COMMANDS.match(first)


@pytest.mark.parametrize("first", ["Returns a Table.", "What a Pod is.", "Is it done? Says so."])
def test_a_docstring_that_describes_in_place_of_commanding_would_be_found(first):
    assert NOT_COMMANDS.match(first)


def test_a_planted_docstring_is_found_and_its_example_is_not():
    source = 'def f():\n    """It goes.\n\n    >>> "anew"\n\n        lab.mend()\n    """\n'
    texts = dict(docstrings(ast.parse(source)))
    assert texts["the module"] == ""
    assert "anew" not in texts["f"]
    assert "mend" not in texts["f"]
    assert len(findings(prose(texts["f"]))) == 1


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_message_of_the_package_is_written_as_the_style_wants(file):
    found = [
        (line, finding)
        for line, text in strings(ast.parse(file.read_text()))
        for finding in findings(prose(text))
        if " semicolons: " not in finding  # a line of shell, Python or CSS
    ]
    assert found == []


def test_a_planted_message_is_found():
    raised = 'raise ValueError(f"{x} is no name", "mend it")'
    texts = [text for _, text in strings(ast.parse(f'"""A docstring."""\n{raised}\n'))]
    assert sorted(texts) == ["mend it", "… is no name"]
    assert [len(findings(text)) for text in texts] == [1, 1]


@pytest.mark.parametrize(("where", "text"), pages().items(), ids=pages())
def test_every_page_and_every_lesson_is_written_as_the_style_wants(where, text):
    assert findings(text) == []


@pytest.mark.parametrize(
    ("planted", "word"),
    [
        ("The lock is made anew.", "anew"),
        ("There is a port on which nobody listens.", "nobody"),
        ("This page is for who teaches.", "for who"),
        ("A second run mends it.", "mends"),
        ("It runs all tiers without a word.", "without a word"),
        ("This is no valid name.", "is no"),
        ("The model is loaded by itself.", "by itself"),
        ("The Pod goes.", "goes"),
        ("The rollout goes on.", "goes on"),
        ("The server stops for good.", "for good"),
        ("The registry said no.", "said no"),
        ("The manifest is old, as kubectl says.", "kubectl says"),
        ("One; two; three.", "2 semicolons"),
    ],
)
def test_a_planted_sentence_is_found(planted, word):
    clean = "A Pod is terminating.\n\n| a; b | c; d |\n\n```sh\n./lab goes\n```\n"
    assert findings(prose(clean)) == []
    (first, *_) = findings(prose(f"{clean}\n{planted}\n"))
    assert word in first


def test_every_rule_has_its_planted_sentence():
    marks = test_a_planted_sentence_is_found.pytestmark
    planted = [sentence for sentence, _ in marks[0].args[1]]
    unused = [p for p in DENIED if not any(re.search(p, s, re.IGNORECASE) for s in planted)]
    assert unused == []


def test_plain_english_is_left_alone():
    plain = "There is no Pod. It is no longer ready. The link is `by itself`, in [a page](anew.md)."
    assert findings(prose(plain)) == []
