"""Reads the texts that lab-llama is made from and measured with."""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Entry:
    """One answer and the wordings of the question that lead to it."""

    wordings: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class HeldOut:
    """A question never used in training, and words that only its right answer has."""

    question: str
    key: str


@dataclass(frozen=True)
class Texts:
    entries: tuple[Entry, ...]
    limericks: tuple[str, ...]
    limerick_questions: tuple[str, ...]
    unknown_answers: tuple[str, ...]
    offtopic: tuple[str, ...]
    unknown: tuple[str, ...]
    heldout: tuple[HeldOut, ...]
    heldout48: tuple[HeldOut, ...]

    def answers(self) -> set[str]:
        """Every whole text the model may say."""
        return {e.answer for e in self.entries} | set(self.limericks) | set(self.unknown_answers)

    def never_trained(self) -> set[str]:
        """The normalised questions that no training row may carry."""
        questions = [h.question for h in self.heldout + self.heldout48] + list(self.unknown)
        return {normalised(q) for q in questions}


def normalised(question: str) -> str:
    """The question without case, punctuation and extra spaces.

    >>> normalised(" What's a  Pod?!")
    'whats a pod'
    """
    return " ".join(re.findall(r"[a-z0-9_]+", question.lower().replace("'", "")))


def load_texts(folder: Path = FOLDER) -> Texts:
    return Texts(
        entries=tuple(_entries(_lines(folder / "corpus.txt"))),
        limericks=tuple(_paragraphs(folder / "limericks.txt")),
        limerick_questions=tuple(_lines(folder / "limerick_questions.txt")),
        unknown_answers=tuple(_lines(folder / "unknown_answers.txt")),
        offtopic=tuple(_lines(folder / "offtopic.txt")),
        unknown=tuple(_lines(folder / "unknown.txt")),
        heldout=tuple(_heldout(folder / "heldout.txt")),
        heldout48=tuple(_heldout(folder / "heldout48.txt")),
    )


def _lines(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text(encoding="ascii").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _paragraphs(path: Path) -> list[str]:
    return [p.strip() for p in path.read_text(encoding="ascii").split("\n\n") if p.strip()]


def _entries(lines: list[str]):
    wordings: list[str] = []
    for line in lines:
        if line.startswith("> "):
            yield Entry(tuple(wordings), line[2:])
            wordings = []
        else:
            wordings.append(line)


def _heldout(path: Path):
    for line in _lines(path):
        question, key = line.split(" | ")
        yield HeldOut(question.strip(), key.strip())
