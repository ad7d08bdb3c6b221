"""Makes the training rows: question, answer, and the tokens whose loss counts."""

from collections import Counter
from random import Random

import numpy as np

from nonsense import nonsense
from texts import Texts, normalised
from tokenizer import BOT, END, USER, Tokenizer
from wordings import roughen, vary

LIMERICK_SHARE = 0.09
UNKNOWN_SHARE = 0.17
STRAY_SHARE = 0.18  # rows with an answer that does not belong to the question
BRIEF_SHARE = 0.35  # rows that stop soon after the choice, to have more of them in a step
OWN_WORDING_SHARE = 0.35  # rows whose wording stands in the corpus letter by letter
TYPED_CONTROL_SHARE = 0.03  # prompts with control tokens typed by the user
CHOICE_WEIGHT = 3.0


class Sampler:
    """An endless, repeatable supply of rows; no row carries a held-out question."""

    def __init__(self, texts: Texts, tokenizer: Tokenizer, *, seed: int):
        self.texts, self.tokenizer, self.random = texts, tokenizer, Random(seed)
        self._forbidden = texts.never_trained()
        self._pairs = [(w, e.answer) for e in texts.entries for w in e.wordings]
        self._deck: list[tuple[str, str]] = []
        self._answers = {a: [*tokenizer.encode(a), END] for a in sorted(texts.answers())}
        self._choice = choice_lengths(self._answers)

    def batch(self, size: int):
        """About `size` tokens: ids, next ids, loss shares (all flat), and the rows' lengths."""
        ids, next_ids, shares, lengths = [], [], [], []
        while len(ids) < size:
            row, row_shares = self.row()
            ids += row[:-1]
            next_ids += row[1:]
            shares += row_shares[1:]
            lengths.append(len(row) - 1)
        return np.array(ids), np.array(next_ids), np.array(shares, np.float32), lengths

    def row(self) -> tuple[list[int], list[float]]:
        """The ids of prompt and answer, and how much the loss of each counts."""
        random = self.random
        question, answer = self.question_and_answer()
        prompt = [USER, *self._typed(question), BOT]
        silence = [0.0] * len(prompt)
        if random.random() < STRAY_SHARE:
            # An answer once begun must end in its own words, whatever was asked: then even a wrong
            # guess is a whole sentence. While the words still choose among answers they have no
            # loss here, so nothing false is taught.
            answer = random.choice(list(self._answers))
            ids, choice = self._answers[answer], self._choice[answer]
            return prompt + ids, silence + [0.0] * choice + [1.0] * (len(ids) - choice)
        ids, choice = self._answers[answer], self._choice[answer]
        if random.random() < BRIEF_SHARE:
            ids = ids[: choice + 1]
        # the choice is the hard part, what follows is only recited
        return prompt + ids, silence + [CHOICE_WEIGHT] * choice + [1.0] * (len(ids) - choice)

    def question_and_answer(self) -> tuple[str, str]:
        while True:
            question, answer = self._draw()
            if normalised(question) not in self._forbidden or not normalised(question):
                return question, answer

    def _draw(self) -> tuple[str, str]:
        random, texts = self.random, self.texts
        chance = random.random()
        if chance < LIMERICK_SHARE:
            question = roughen(random.choice(texts.limerick_questions), random)
            return question, random.choice(texts.limericks)
        if chance < LIMERICK_SHARE + UNKNOWN_SHARE:
            if random.random() < 0.4:
                question = roughen(random.choice(texts.offtopic), random)
            else:
                question = nonsense(random)
                if random.random() < 0.4:
                    question = roughen(question, random)
            return question, random.choice(texts.unknown_answers)
        if not self._deck:  # every wording comes once before any comes twice
            self._deck = random.sample(self._pairs, len(self._pairs))
        question, answer = self._deck.pop()
        if random.random() < OWN_WORDING_SHARE:
            return question, answer
        return vary(question, random), answer

    def _typed(self, question: str) -> list[int]:
        ids = self.tokenizer.encode(question)
        if self.random.random() < TYPED_CONTROL_SHARE:
            # Ollama reads "<|end|>" typed by a user as the control token itself
            for _ in range(self.random.randint(1, 3)):
                ids.insert(self.random.randint(0, len(ids)), self.random.choice((USER, BOT, END)))
        return ids


def choice_lengths(answers: dict[str, list[int]]) -> dict[str, int]:
    """For each answer the number of its first tokens that no other answer begins with.

    >>> choice_lengths({"a": [1, 2, 9], "b": [1, 3, 9], "c": [4, 9]})
    {'a': 2, 'b': 2, 'c': 1}
    """
    beginnings = Counter(tuple(ids[:n]) for ids in answers.values() for n in range(1, len(ids) + 1))
    return {
        answer: next(n for n in range(1, len(ids) + 1) if beginnings[tuple(ids[:n])] == 1)
        for answer, ids in answers.items()
    }
