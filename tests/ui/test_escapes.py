"""labkit/ui/escapes.py: terminals' escape sequences go, however they are cut; all text stays."""

import random

import pytest

from labkit.ui.escapes import Plain, plain

# as programs in containers write them: Ollama's spinner, colours, titles, links, sixel, keypad
SEQUENCES = [
    "\x1b[K", "\x1b[?25h", "\x1b[?2026l", "\x1b[1G", "\x1b[A", "\x1b[2J", "\x1b[m", "\x1b[1;31m",
    "\x1b[38;2;1;2;3m", "\x1b[4:3m", "\x1b[!p", "\x1b[>4;2m", "\x1b[6 q", "\x1b]0;title\x07",
    "\x1b]0;é 箱\x1b\\", "\x1b]8;;http://x/?a=[1]\x1b\\", "\x1b]8;;\x07", "\x1b(B", "\x1b)0",
    "\x1b=", "\x1b>", "\x1b7", "\x1b8", "\x1bM", "\x1bc", "\x1b#8", "\x1b%G", "\x1bPq#0!9~-\x1b\\",
    "\x1b_app\x1b\\", "\x1b^note\x1b\\",
]  # fmt: skip
TEXTS = ["success ", "[K", "[", "]0;", "?25h", "m", "a\nb", "\r\n", "\t", "é", "箱", "😀", "\u0085",
         "\u2028", "K", "q\\", "(B", ";", "\x07", "100 %", "", " ", "{", "~", "@"]  # fmt: skip


def test_what_ollama_ends_a_pull_with_is_gone():
    assert plain("success \x1b[K\x1b[?25h\x1b[?2026l") == "success "


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_each_kind_goes_and_what_stands_around_it_stays(sequence):
    assert plain(f"[K{sequence}\x1b[0m;m{sequence}") == "[K;m"


@pytest.mark.parametrize(
    "text", ["", "a", "[K[?25h[?2026l", "x[0m", "é\u0085\u2028\r\n\t\x07\x9bm"]
)
def test_text_without_an_escape_is_as_it_was(text):
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\x1b", "a"),
        ("a\x1b[", "a"),
        ("a\x1b[12", "a12"),
        ("a\x1b[12\nb", "a12\nb"),
        ("a\x1b\nb", "a\nb"),
        ("a\x1béb", "aéb"),
        ("a\x1b]0;never ended\nb", "a0;never ended\nb"),
        ("a\x1b]0;x\x1b[Kb", "a0;xb"),
        ("a\x1b\x1b[Kb", "ab"),
    ],
)
def test_of_a_sequence_that_is_none_all_its_text_stays(text, left):
    assert plain(text) == left


@pytest.mark.parametrize("seed", range(300))
def test_the_text_stays_whole_wherever_sequences_stand_and_pieces_end(seed):
    chance = random.Random(seed)
    text, written = "", ""
    for _ in range(chance.randrange(1, 12)):
        if chance.random() < 0.5:
            written += chance.choice(SEQUENCES)
        else:
            part = chance.choice(TEXTS)
            text, written = text + part, written + part
    assert plain(written) == text
    assert in_pieces(written, chance) == text


@pytest.mark.parametrize("seed", range(300))
def test_pieces_of_anything_give_what_the_whole_gives(seed):
    chance = random.Random(seed)
    letters = "\x1b\x1b\x1b[]\\0;m?(B~P\x07\x9b\x9d\x9c\n é"
    written = "".join(chance.choice(letters) for _ in range(chance.randrange(30)))
    assert in_pieces(written, chance) == plain(written)
    assert plain(plain(written)) == plain(written)


def in_pieces(written: str, chance: random.Random) -> str:
    stream, found = Plain(), ""
    while written:
        size = chance.randrange(1, 5)
        found += stream.feed(written[:size])
        written = written[size:]
    return found + stream.rest()


def test_what_never_becomes_a_sequence_is_not_held_back_for_ever():
    stream = Plain()
    found = "".join(stream.feed(part) for part in ("\x1b]0;", *["x" * 100] * 100))
    assert len(found) > 5000
    assert found + stream.rest() == "0;" + "x" * 10_000


def test_a_text_without_escapes_is_never_held_back():
    stream = Plain()
    assert [stream.feed(part) for part in ("a [", "K", "")] == ["a [", "K", ""]
