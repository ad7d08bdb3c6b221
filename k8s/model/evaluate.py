"""Measures a model: python k8s/model/evaluate.py [MODEL.npz|.gguf] or --ollama URL --model NAME

Right: the answer has the key words of its held-out question. Whole: the answer is, letter by
letter, one text of the corpus. Honest: a question outside the workshop gets "I do not know".
"""

import argparse
import json
import os
import statistics
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import generate
from ask_ollama import OllamaModel
from checkpoint import load
from odd_prompts import ODD_PROMPTS
from texts import HeldOut, Texts, load_texts

HERE = Path(__file__).parent
Ask = Callable[[list[str]], list[str]]
HISTORY = [
    {"role": "system", "content": "You are a pirate."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hello! I am a tiny model."},
]


def measure(ask: Ask, texts: Texts) -> dict:
    """All figures that need only questions and answers; lists name what went wrong."""
    return {
        "training": training(ask, texts),
        "heldout": heldout(ask, texts.heldout, texts),
        "heldout48": heldout(ask, texts.heldout48, texts),
        "unknown": unknown(ask, texts),
    }


def training(ask: Ask, texts: Texts) -> dict:
    pairs = [(w, {e.answer}) for e in texts.entries for w in e.wordings]
    pairs += [(q, set(texts.limericks)) for q in texts.limerick_questions]
    pairs += [(q, set(texts.unknown_answers)) for q in texts.offtopic]
    given = ask([question for question, _ in pairs])
    missed = [
        [question, said]
        for (question, wanted), said in zip(pairs, given, strict=True)
        if said not in wanted
    ]
    return {"asked": len(pairs), "verbatim": len(pairs) - len(missed), "missed": missed}


def heldout(ask: Ask, questions: tuple[HeldOut, ...], texts: Texts) -> dict:
    given = ask([h.question for h in questions])
    wrong = [
        [h.question, said] for h, said in zip(questions, given, strict=True) if h.key not in said
    ]
    torn = [said for said in given if said not in texts.answers()]
    asked = len(questions)
    return {
        "asked": asked, "right": asked - len(wrong), "whole": asked - len(torn), "wrong": wrong
    }  # fmt: skip


def unknown(ask: Ask, texts: Texts) -> dict:
    given = ask(list(texts.unknown))
    pretended = [
        [question, said]
        for question, said in zip(texts.unknown, given, strict=True)
        if said not in texts.unknown_answers
    ]
    asked = len(given)
    whole = sum(said in texts.answers() for said in given)
    return {
        "asked": asked, "honest": asked - len(pretended), "whole": whole, "pretended": pretended
    }  # fmt: skip


def odd(model: OllamaModel, texts: Texts, **options) -> dict:
    """Each odd prompt through /api/generate and, with a history before it, /api/chat."""
    unfinished, torn = [], []
    for name, prompt in ODD_PROMPTS.items():
        last = {"role": "user", "content": prompt}
        replies = {
            "generate": model.generate(prompt, **options),
            "chat": model.chat([*HISTORY, last], **options),
        }
        for route, reply in replies.items():
            said = reply.get("response") or reply.get("message", {}).get("content", "")
            if reply.get("done") is not True:
                unfinished.append([f"{name} ({route})", said])
            if said.strip() not in texts.answers():
                torn.append([f"{name} ({route})", said])
    asked = 2 * len(ODD_PROMPTS)
    return {
        "asked": asked, "done": asked - len(unfinished), "whole": asked - len(torn),
        "unfinished": unfinished, "torn": torn,
    }  # fmt: skip


def speed(model: OllamaModel, *, calls: int = 5) -> dict:
    """Tokens per second by Ollama's own counts, and the seconds of the load."""
    replies = [model.generate("What is a Service?") for _ in range(calls)]
    rates = [r["eval_count"] / r["eval_duration"] * 1e9 for r in replies]
    return {
        "calls": calls,
        "tokens_per_s": [round(min(rates)), round(statistics.median(rates)), round(max(rates))],
    }


def summary(figures: dict) -> str:
    lines = []
    for name, f in figures.items():
        if name == "speed":
            low, middle, high = f["tokens_per_s"]
            lines.append(f"speed: {middle} tokens/s ({low} to {high}, {f['calls']} calls)")
            continue
        counts = (
            f"{f[count]}/{f['asked']} {count}"
            for count in ("verbatim", "right", "whole", "honest", "done")
            if count in f
        )
        lines.append(f"{name}: " + ", ".join(counts))
        for what in ("missed", "wrong", "pretended", "unfinished", "torn"):
            lines += [f"   {what}: {q!r} -> {said[:90]!r}" for q, said in f.get(what, [])]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?", default=HERE / "lab-llama.gguf")
    parser.add_argument("--ollama", metavar="URL", help="ask this Ollama instead of numpy")
    parser.add_argument("--model", default="lab-llama", help="its name there")
    parser.add_argument("--temperature", type=float, help="default: the model's own")
    parser.add_argument("-o", "--output", choices=["text", "json"], default="text")
    options = parser.parse_args()
    texts = load_texts()
    if options.ollama:
        model = OllamaModel(options.ollama, options.model)
        warmth = {} if options.temperature is None else {"temperature": options.temperature}

        def ask(questions):
            return [model.generate(q, **warmth).get("response", "").strip() for q in questions]

        figures = measure(ask, texts)
        figures |= {"odd prompts": odd(model, texts, **warmth), "speed": speed(model)}
    else:
        trained = load(options.file)

        def ask(questions):
            return generate.answers(trained.weights, trained.shape, trained.tokenizer, questions)

        figures = measure(ask, texts)
    print(json.dumps(figures, indent=1) if options.output == "json" else summary(figures))


if __name__ == "__main__":
    main()
