"""Byte-level BPE as GPT-2 does it: learns the merges, turns text into ids and back.

llama.cpp reads the result as tokenizer "gpt2", pre "gpt-2". Its word pattern knows every
alphabet; ours knows ASCII letters only, which gives the same ids because no merge ever
joins bytes outside ASCII (the corpus has none).
"""

import itertools
import re
from collections import Counter

CONTROL = ("<|user|>", "<|bot|>", "<|end|>")
USER, BOT, END = range(3)
WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


def _printable_bytes() -> dict[int, str]:
    """GPT-2's alphabet: bytes that print stand for themselves, others for letters from 256 up."""
    prints = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in prints]
    letters = {byte: chr(byte) for byte in prints}
    return letters | {byte: chr(256 + n) for n, byte in enumerate(hidden)}


LETTER = _printable_bytes()
BYTE = {letter: byte for byte, letter in LETTER.items()}


def learn(text: str, size: int) -> tuple[list[str], list[tuple[str, str]]]:
    """The vocabulary of `size` pieces for this text, and the merges that build it."""
    words = {_letters(word): count for word, count in Counter(WORD.findall(text)).items()}
    vocabulary = [*CONTROL, *(LETTER[byte] for byte in range(256))]
    merges: list[tuple[str, str]] = []
    while len(vocabulary) < size:
        pairs: Counter = Counter()
        for pieces, count in words.items():
            for pair in itertools.pairwise(pieces):
                pairs[pair] += count
        if not pairs:
            raise ValueError(f"the text has pairs for {len(vocabulary)} pieces only, not {size}")
        # ties are broken by the pair itself, so that every run learns the same vocabulary
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        vocabulary.append(best[0] + best[1])
        words = {_merged(pieces, best): count for pieces, count in words.items()}
    return vocabulary, merges


def _letters(word: str) -> tuple[str, ...]:
    return tuple(LETTER[byte] for byte in word.encode())


def _merged(pieces: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    for piece in pieces:
        # "aaa" with the pair a+a must give "aa","a": a piece that was just merged is taken
        if out and (out[-1], piece) == pair:
            out[-1] += piece
        else:
            out.append(piece)
    return tuple(out)


class Tokenizer:
    """Holds a learned vocabulary and remembers the words it has cut before."""

    def __init__(self, vocabulary: list[str], merges: list[tuple[str, str]]):
        self.vocabulary = list(vocabulary)
        self.merges = [tuple(merge) for merge in merges]
        self._id = {piece: n for n, piece in enumerate(self.vocabulary)}
        self._rank = {merge: n for n, merge in enumerate(self.merges)}
        self._known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        return [n for word in WORD.findall(text) for n in self._cut(word)]

    def decode(self, ids: list[int]) -> str:
        pieces = "".join(self.vocabulary[n] for n in ids if n >= len(CONTROL))
        return bytes(BYTE[letter] for letter in pieces).decode("utf-8", "replace")

    def prompt(self, question: str) -> list[int]:
        """The ids of a whole question as the Modelfile's TEMPLATE renders it."""
        return [USER, *self.encode(question), BOT]

    def _cut(self, word: str) -> list[int]:
        if word not in self._known:
            pieces = _letters(word)
            while len(pieces) > 1:
                pairs = itertools.pairwise(pieces)
                best = min(pairs, key=lambda pair: self._rank.get(pair, len(self._rank)))
                if best not in self._rank:
                    break
                pieces = _merged(pieces, best)
            self._known[word] = [self._id[piece] for piece in pieces]
        return self._known[word]
