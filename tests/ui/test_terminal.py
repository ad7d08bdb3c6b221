import io

import pytest

from labkit.ui.terminal import TextLine, cut, printable


def screen(written: str) -> list[str]:
    """What stands on a terminal after all this was written to it."""
    lines = []
    for line in written.split("\n"):
        shown = ""
        for part in line.split("\r"):
            shown = part + shown[len(part) :]
        lines.append(shown.rstrip())
    return lines


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")


def test_a_terminal_line_is_rewritten_cut_to_the_width_and_its_end_is_whole(capsys):
    line = TextLine(terminal=True)
    line.paint("", "pulling the image ollama/ollama", "", last=False)
    written = capsys.readouterr().out
    assert screen(written) == ["pulling the image …"]
    line.paint("", "short", "", last=False)
    written += capsys.readouterr().out
    assert screen(written) == ["short"]
    line.paint("", "done: pulled the image ollama/ollama", "", last=True)
    written += capsys.readouterr().out
    assert screen(written) == ["done: pulled the image ollama/ollama", ""]


def test_an_answer_on_a_terminal_is_written_as_it_comes_and_never_rewritten(capsys):
    line = TextLine(terminal=True)
    line.paint("", "loading", "", last=False)
    line.grow("A Pod ")
    written = capsys.readouterr().out
    line.paint("A Pod ", "3 tokens", "", last=False)
    assert capsys.readouterr().out == ""
    line.grow("is one.\nYes")
    line.paint("A Pod is one.\nYes", "✓ 5 tokens", "", last=True)
    written += capsys.readouterr().out
    assert screen(written) == ["A Pod is one.", "Yes", "✓ 5 tokens", ""]


def test_a_pipe_gets_first_milestones_and_last_and_nothing_twice(capsys):
    line = TextLine(terminal=False)
    for text, milestone in (("1", False), ("2", False), ("3", True), ("3", True), ("4", False)):
        line.paint("", text, "", last=False, milestone=milestone)
    line.paint("", "5", "", last=True)
    line.paint("", "5", "", last=True)
    assert capsys.readouterr().out == "1\n3\n5\n"


def test_a_pipe_ends_an_answer_with_a_newline(capsys):
    line = TextLine(terminal=False)
    line.grow("one ")
    line.grow("two")
    line.paint("one two", "", "", last=True)
    assert capsys.readouterr().out == "one two\n"


def test_wide_letters_are_cut_by_their_columns():
    assert cut("箱箱箱箱", 5) == "箱箱…"
    assert cut("箱箱", 4) == "箱箱"


def test_control_characters_do_not_reach_the_terminal():
    assert printable("a\x1b[2Jb\rc\a\n\td") == "abc\n\td"


def test_an_encoding_without_the_signs_gives_question_marks(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    TextLine(terminal=False).paint("", "✓ ready", "", last=True)
    assert raw.getvalue() == b"? ready\n"
