"""Replays what tests/load/fuzz.py found worth it, and a few hundred fresh mutations."""

import random

import pytest

from labkit.load import wire
from tests.load import fuzz
from tests.load.answers import CHUNKED, END, chunk, lines

CORPUS = fuzz.corpus()


@pytest.mark.parametrize("response", CORPUS, ids=range(len(CORPUS)))
def test_a_response_of_the_corpus_is_read_alike_however_it_is_cut(response):
    fuzz.check(response, random.Random(0))


def test_the_corpus_has_every_outcome():
    words = {fuzz.word(fuzz.check(response, random.Random(0))) for response in CORPUS}
    assert words == {"refused", "complete", "incomplete"}


@pytest.mark.parametrize("seed", range(4))
def test_fresh_mutations_are_read_alike_however_they_are_cut(seed):
    chance = random.Random(seed)
    pool = [*fuzz.seeds(chance), *CORPUS]
    for _ in range(50):
        fuzz.check(fuzz.mutated(chance, pool), chance)
        fuzz.check(fuzz.built(chance), chance)


def broken(name: str, replacement: object, monkeypatch, response: bytes) -> str:
    monkeypatch.setattr(wire.Reader, name, replacement)
    with pytest.raises(fuzz.Broken) as raised:
        fuzz.check(response, random.Random(0))
    return str(raised.value)


def test_a_reader_whose_verdict_depends_on_the_cut_is_found(monkeypatch):
    strictly = wire.Reader._strictly

    def lossy(self, data: bytes) -> int:
        return strictly(self, data.replace(b"0\r\n\r\n", b"0\r\n"))

    response = CHUNKED + b"".join(map(chunk, lines())) + END
    assert "byte by byte" in broken("_strictly", lossy, monkeypatch, response)


def test_a_fast_path_that_miscounts_is_found(monkeypatch):
    feed = wire.Reader.feed

    def generous(self, data: bytes) -> int:
        return feed(self, data) + self.regular

    response = CHUNKED + b"".join(map(chunk, lines())) + END
    assert "skimmed" in broken("feed", generous, monkeypatch, response)


def test_a_reader_that_holds_what_it_has_read_is_found(monkeypatch):
    body = wire.Reader._body

    def hoarding(self, piece: bytes) -> int:
        count = body(self, piece)
        self.pending += [piece] * 9
        return count

    response = CHUNKED + chunk(b'{"response":"' + b"a" * 3000) + END
    assert "bytes held of" in broken("_body", hoarding, monkeypatch, response)
