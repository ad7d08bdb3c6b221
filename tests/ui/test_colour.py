"""ui/colour.py: colours on a terminal, and never instead of a word."""

import io
import re
import sys

import pytest
from rich.style import Style

from labkit.ui import colour

VERDICTS = "STEP             VERDICT         SAW\n" + "\n".join(
    [
        "03-service/pulled    done            a Pod that is done",
        "03-service/answers   not yet         " + "x" * 200,
        "04-scale/one         could not tell  nobody answers",
    ]
)
GREEN, RED, ORANGE = "38;2;0;158;115", "38;2;213;94;0", "38;2;230;159;0"
ESCAPE = re.compile(r"\x1b\[[\d;]*m")


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch):
    """A terminal of 80 columns that knows all colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    # rich's styles keep the codes of the terminal that had them first
    Style.parse.cache_clear()
    Style._add.cache_clear()
    return Screen()


def painted(text: str) -> list[tuple[str, str]]:
    """Each piece that has a colour of its own, and the colour."""
    return [(m[2], m[1]) for m in re.finditer(r"\x1b\[([\d;]*38;2[\d;]*)m(.*?)\x1b\[0m", text)]


def test_a_verdict_has_its_colour_and_the_same_words(screen):
    colour.say(VERDICTS, file=screen)
    found = screen.getvalue()
    assert painted(found) == [("done", GREEN), ("not yet", RED), ("could not tell", ORANGE)]
    assert ESCAPE.sub("", found) == f"{VERDICTS}\n"


def test_so_have_the_signs_of_the_parts(screen):
    parts = "ok  tools             6 here\nno  images            no node\n??  cluster           ok"
    colour.say(parts, file=screen)
    assert painted(screen.getvalue()) == [("ok", GREEN), ("no", RED), ("??", ORANGE)]


def test_an_error_has_its_name_in_red_and_its_lines_begin_in_bold(screen):
    colour.say("NotUp: there is no lab\nsaw: saw: no\ntry: ./lab up", file=screen)
    found = screen.getvalue()
    assert painted(found) == [("NotUp", f"1;{RED}")]
    assert re.findall(r"\x1b\[1m(\w+)\x1b", found) == ["saw", "try"]


def test_a_line_is_never_taken_for_markup(screen):
    colour.say("saw: [bold]x[/bold] :smile:", file=screen)
    assert ESCAPE.sub("", screen.getvalue()) == "saw: [bold]x[/bold] :smile:\n"


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colour_gets_none(screen, monkeypatch, variable):
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    colour.say(VERDICTS, file=screen)
    assert screen.getvalue() == f"{VERDICTS}\n"


def test_an_empty_no_color_is_none(screen, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")
    colour.say(VERDICTS, file=screen)
    assert painted(screen.getvalue())


def test_a_pipe_gets_the_plain_words_and_does_not_load_rich(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    colour.say(VERDICTS)
    assert capsys.readouterr().out == f"{VERDICTS}\n"
