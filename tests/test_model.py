"""The default model's texts, tokenizer, network, training rows and committed GGUF."""

import doctest
import importlib
import itertools
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import gguf
import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "k8s" / "model"
# the scripts are run by path and import each other by bare name, as here
sys.path.insert(0, str(FOLDER))

import ask_ollama  # noqa: E402
import evaluate  # noqa: E402
import export  # noqa: E402
import generate  # noqa: E402
import samples  # noqa: E402
import texts  # noqa: E402
import train  # noqa: E402
from checkpoint import Model, load, save  # noqa: E402
from network import Shape, forward, loss_and_gradients, new_weights, parameter_count  # noqa: E402
from nonsense import LONGEST, nonsense  # noqa: E402
from odd_prompts import ODD_PROMPTS  # noqa: E402
from tokenizer import BOT, CONTROL, END, USER, Tokenizer, learn  # noqa: E402
from wordings import vary  # noqa: E402

SMALL = Shape(vocab=300, width=32, layers=2, heads=2, hidden=44)
COMMITTED = FOLDER / "lab-llama.gguf"


@pytest.fixture(scope="module")
def words():
    return texts.load_texts()


@pytest.fixture(scope="module")
def tokenizer(words):
    return train.make_tokenizer(words, 400)


@pytest.fixture
def small_model():
    tokenizer = Tokenizer(*learn("what is a pod what is a service a pod is small " * 3, 280))
    shape = replace(SMALL, vocab=280)
    return Model(shape, new_weights(shape, seed=3), tokenizer)


@pytest.mark.parametrize("module", ["texts", "samples", "export"])
def test_docstring_examples_run(module):
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed


# texts


def test_all_texts_are_ascii(words):
    for path in FOLDER.glob("*.txt"):
        assert path.read_text(encoding="utf-8").isascii(), path.name
    assert len(words.entries) >= 80


def test_every_answer_and_every_wording_stands_once(words):
    answers = [e.answer for e in words.entries]
    assert len(set(answers)) == len(answers)
    asked = [texts.normalised(w) for e in words.entries for w in e.wordings]
    assert len(set(asked)) == len(asked)


def test_no_answer_is_the_beginning_of_another(words):
    answers = sorted(words.answers())
    assert not [a for a, b in itertools.pairwise(answers) if b.startswith(a)]


def test_nearly_every_answer_has_six_wordings_or_more(words):
    few = [e.wordings[0] for e in words.entries if len(e.wordings) < 6]
    assert few == ["(a very long question)"]


def test_every_key_phrase_of_the_held_out_questions_stands_in_one_answer(words):
    assert len(words.heldout) == len(words.heldout48) == 48
    for held in words.heldout + words.heldout48:
        matches = [e.answer for e in words.entries if held.key in e.answer]
        assert len(matches) == 1, held


def test_no_held_out_question_is_a_wording_of_the_training(words):
    trained = [w for e in words.entries for w in e.wordings]
    trained += [*words.offtopic, *words.limerick_questions]
    assert not {texts.normalised(w) for w in trained} & words.never_trained()


def test_the_model_says_what_it_is_in_its_own_words(words):
    sizes = [e.answer for e in words.entries if "How big are you?" in e.wordings]
    assert "fewer than a million" in sizes[0]
    assert all(answer.startswith("I do not know") for answer in words.unknown_answers)


# tokenizer


def test_the_tokenizer_gives_every_text_back(words, tokenizer):
    for text in [*words.answers(), "UPPER lower 123 don't  two\n\nlines ", "Grüße, 世界 🦙", ""]:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_tokenizer_learns_the_same_from_the_same_text():
    assert learn("a pod is a pod", 262) == learn("a pod is a pod", 262)


def test_a_text_too_poor_for_the_vocabulary_is_refused():
    with pytest.raises(ValueError, match="pieces only, not 300"):
        learn("ab", 300)


def test_a_prompt_is_framed_by_control_tokens(tokenizer):
    ids = tokenizer.prompt("What is a Pod?")
    assert (ids[0], ids[-1]) == (USER, BOT)
    assert tokenizer.decode(ids) == "What is a Pod?"


# training rows


def test_a_row_never_carries_a_held_out_question(words, tokenizer):
    sampler = samples.Sampler(words, tokenizer, seed=1)
    asked = {texts.normalised(sampler.question_and_answer()[0]) for _ in range(5000)}
    assert not (asked - {""}) & words.never_trained()


def test_the_same_seed_gives_the_same_rows(words, tokenizer):
    first, second = (samples.Sampler(words, tokenizer, seed=5).batch(500) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_only_answers_have_a_loss(words, tokenizer):
    sampler = samples.Sampler(words, tokenizer, seed=2)
    for _ in range(300):
        row, shares = sampler.row()
        assert len(row) == len(shares)
        bot = max(n for n, token in enumerate(row) if token == BOT)
        assert not any(shares[: bot + 1])
        assert any(shares[bot + 1 :])


def test_a_stray_answer_has_no_loss_while_it_could_still_be_another(words, tokenizer, monkeypatch):
    monkeypatch.setattr(samples, "STRAY_SHARE", 1.0)
    sampler = samples.Sampler(words, tokenizer, seed=2)
    for _ in range(300):
        row, shares = sampler.row()
        silent = tuple(row[max(n for n, t in enumerate(row) if t == BOT) + 1 : shares.index(1.0)])
        begun = [a for a, ids in sampler._answers.items() if tuple(ids[: len(silent)]) == silent]
        assert len(begun) == 1


def test_varied_questions_stay_short_and_are_not_empty(words):
    random = Random(0)
    for entry in words.entries:
        for wording in entry.wordings:
            varied = vary(wording, random)
            assert varied.strip()
            assert len(varied) < 200


def test_nonsense_is_never_longer_than_its_limit():
    random = Random(0)
    assert max(len(nonsense(random).encode()) for _ in range(2000)) <= LONGEST < 100


# network


def test_hand_written_gradients_equal_finite_differences():
    shape = Shape(vocab=11, width=8, layers=2, heads=2, hidden=12)
    random = np.random.default_rng(0)
    weights = new_weights(shape, seed=1, dtype=np.float64)
    for w in weights.values():
        w += random.normal(0, 0.2, w.shape)
    tokens, targets = random.integers(0, shape.vocab, (2, 11))
    shares = np.array([0, 0, 1, 3, 1, 0, 1, 1, 0, 1, 1.0])

    def loss_now():
        return loss_and_gradients(weights, shape, tokens, targets, shares, [5, 6])[0]

    _, gradients = loss_and_gradients(weights, shape, tokens, targets, shares, [5, 6])
    assert gradients.keys() == weights.keys()
    for name, w in weights.items():
        for _ in range(5):
            at = tuple(random.integers(0, n) for n in w.shape)
            kept, nudge = w[at], 1e-6
            w[at] = kept + nudge
            above = loss_now()
            w[at] = kept - nudge
            below = loss_now()
            w[at] = kept
            assert gradients[name][at] == pytest.approx((above - below) / (2 * nudge), abs=1e-7)


def test_rows_in_one_batch_do_not_see_each_other():
    weights = new_weights(SMALL)
    one, two = [5, 6, 7, 8, 9], [10, 11, 12]
    together, _ = forward(weights, SMALL, np.array(one + two), [5, 3])
    alone, _ = forward(weights, SMALL, np.array(two), [3])
    np.testing.assert_allclose(together[5:], alone, atol=1e-5)


def test_step_by_step_logits_equal_those_of_the_training_pass(small_model):
    ids = np.array([0, 40, 41, 42, 1])
    past = [[None, None] for _ in range(small_model.shape.layers)]
    for position, token in enumerate(ids):
        logits = generate.step(
            small_model.weights, small_model.shape, np.array([token]), position, past
        )
    whole, _ = forward(small_model.weights, small_model.shape, ids, [len(ids)])
    np.testing.assert_allclose(logits[0], whole[-1], atol=1e-5)


def test_a_few_steps_of_training_lower_the_loss(monkeypatch):
    monkeypatch.setattr(train, "TOKENS_PER_STEP", 128)
    monkeypatch.setattr(train, "REPORT_EVERY_S", 0)
    shape, lines = Shape(vocab=300, width=32, layers=1, heads=2, hidden=32), []
    train.train(steps=100, shape=shape, report=lambda line, flush: lines.append(line))
    first, last = (float(line.split("loss ")[1].split()[0]) for line in (lines[1], lines[-1]))
    assert last < 0.95 * first


# files


def test_a_saved_model_is_the_same_when_loaded(small_model, tmp_path):
    save(small_model, tmp_path / "m.npz")
    again = load(tmp_path / "m.npz")
    assert again.shape == small_model.shape
    assert again.tokenizer.merges == small_model.tokenizer.merges
    assert all(np.array_equal(again.weights[n], w) for n, w in small_model.weights.items())
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def test_a_gguf_gives_the_model_back(small_model, tmp_path):
    export.write_gguf(small_model, tmp_path / "m.gguf", file_type="F32")
    again = load(tmp_path / "m.gguf")
    assert again.shape.norm_epsilon == pytest.approx(small_model.shape.norm_epsilon)
    assert replace(again.shape, norm_epsilon=1e-5) == small_model.shape
    assert again.tokenizer.vocabulary == small_model.tokenizer.vocabulary
    assert all(np.array_equal(again.weights[n], w) for n, w in small_model.weights.items())


def test_a_coat_changes_the_size_and_no_logit(small_model):
    coated = export.coat(small_model, 96, 5)
    assert (coated.shape.width, coated.shape.layers, coated.shape.heads) == (96, 5, 6)
    assert parameter_count(coated.weights) > 5 * parameter_count(small_model.weights)
    ids = np.array([0, 40, 41, 42, 1])
    plain, _ = forward(small_model.weights, small_model.shape, ids, [5])
    heavy, _ = forward(coated.weights, coated.shape, ids, [5])
    np.testing.assert_allclose(heavy, plain, atol=1e-4)


@pytest.mark.parametrize(("width", "layers"), [(16, 5), (100, 5), (96, 1)])
def test_a_coat_that_does_not_fit_is_refused(small_model, width, layers):
    with pytest.raises(ValueError, match=f"{width}x{layers} does not fit over 32x2"):
        export.coat(small_model, width, layers)


def test_the_committed_model_is_a_tiny_llama_and_says_so():
    reader = gguf.GGUFReader(COMMITTED)

    def field(name):
        return reader.fields[name].contents()

    assert field("general.architecture") == "llama"
    assert "tiny" in field("general.name")
    assert "knows only" in field("general.name")
    assert sum(int(t.n_elements) for t in reader.tensors) == 734_080
    assert COMMITTED.stat().st_size < 1_600_000
    assert field("tokenizer.ggml.tokens")[: len(CONTROL)] == list(CONTROL)
    assert field("tokenizer.ggml.eos_token_id") == END


def test_the_committed_model_knows_its_lesson(words):
    model = load(COMMITTED)
    ask = ["What is a Pod?", "Why is my Pod pending?", "Why is the sky blue?", "Write a limerick"]
    said = generate.answers(model.weights, model.shape, model.tokenizer, ask)
    assert said[0].startswith("A Pod is the smallest thing Kubernetes runs")
    assert said[1].startswith("A pending Pod has not found a node yet")
    assert said[2] in words.unknown_answers
    assert said[3] in words.limericks


def test_the_committed_model_was_made_from_these_texts(tokenizer):
    # the first merges are the same whatever the size of the vocabulary
    known = load(COMMITTED).tokenizer.vocabulary
    assert known[: len(tokenizer.vocabulary)] == tokenizer.vocabulary


def test_the_modelfile_replaces_what_is_longer_than_the_wordings_and_names_the_limits():
    modelfile = (FOLDER / "Modelfile").read_text(encoding="ascii")
    assert "gt (len $question) 72 }}(a very long question)" in modelfile
    assert "PARAMETER num_thread 1\n" in modelfile
    assert modelfile.count("tiny") >= 2
    assert modelfile.count("nows only this workshop") >= 2


# evaluation


class FakeOllama:
    """Answers like a model that breaks off at one odd prompt."""

    def __init__(self, answer):
        self.answer = answer

    def generate(self, prompt, **options):
        return {"response": self.answer, "done": prompt != ODD_PROMPTS["3000 x"]}

    def chat(self, messages, **options):
        return {"message": {"content": self.answer}, "done": True}


def test_the_figures_of_a_perfect_pupil_are_full(words):
    book = {w: e.answer for e in words.entries for w in e.wordings}
    book |= {
        h.question: next(e.answer for e in words.entries if h.key in e.answer)
        for h in words.heldout + words.heldout48
    }
    book |= dict.fromkeys(words.limerick_questions, words.limericks[0])
    book |= dict.fromkeys(words.offtopic + words.unknown, words.unknown_answers[0])
    figures = evaluate.measure(lambda questions: [book[q] for q in questions], words)
    assert figures["training"]["missed"] == []
    assert (figures["heldout48"]["right"], figures["heldout48"]["whole"]) == (48, 48)
    assert figures["unknown"]["honest"] == len(words.unknown)


def test_the_figures_of_a_babbler_are_zero_and_name_what_it_said(words):
    figures = evaluate.measure(lambda questions: ["salad"] * len(questions), words)
    assert figures["training"]["verbatim"] == 0
    assert (figures["heldout"]["right"], figures["heldout"]["whole"]) == (0, 0)
    assert "pretended: 'Why is the sky blue?' -> 'salad'" in evaluate.summary(figures)


def test_an_answer_without_done_is_reported_by_the_name_of_its_prompt(words):
    figures = evaluate.odd(FakeOllama(words.limericks[0]), words)
    assert figures["done"] == figures["asked"] - 1
    assert figures["unfinished"][0][0] == "3000 x (generate)"


def test_the_ollama_client_asks_for_one_whole_answer(monkeypatch):
    seen = []
    monkeypatch.setattr(
        ask_ollama.OllamaModel, "_post", lambda self, path, body: seen.append((path, body)) or {}
    )
    ask_ollama.OllamaModel("http://x/", "lab-llama").generate("hi", temperature=0)
    assert seen == [("/api/generate", {"prompt": "hi", "options": {"temperature": 0}})]
