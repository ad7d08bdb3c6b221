"""Trains lab-llama from the texts in this folder: python k8s/model/train.py [--seed S] ...

Writes an .npz; export.py makes the GGUF of it. Stops by step count, so that on one machine
the same seed gives the same weights.
"""

import argparse
import os
import tempfile
import time
from collections import deque
from pathlib import Path

# Before numpy is imported: with these small matrices a second BLAS thread only waits for the first.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from adamw import AdamW, learning_rate
from checkpoint import Model, save
from network import Shape, loss_and_gradients, new_weights, parameter_count
from samples import Sampler
from texts import load_texts
from tokenizer import Tokenizer, learn

STEPS = 2800
SHIPPED_SEED = 2  # lab-llama.gguf; README.md has the figures of three seeds
TOKENS_PER_STEP = 1024
PEAK_RATE = 3e-3
REPORT_EVERY_S = 10
DEFAULT_OUT = Path(tempfile.gettempdir()) / "lab-llama.npz"


def make_tokenizer(texts, size: int) -> Tokenizer:
    """A vocabulary for all that is asked and answered in training."""
    lines = [line for e in texts.entries for line in (*e.wordings, e.answer)]
    # lower case, because that is how most people type
    lines += [w.lower() for e in texts.entries for w in e.wordings]
    lines += [*texts.limericks, *texts.limerick_questions, *texts.unknown_answers, *texts.offtopic]
    return Tokenizer(*learn("\n".join(lines), size))


def train(
    *, seed: int = SHIPPED_SEED, steps: int = STEPS, shape: Shape | None = None, report=print
) -> Model:
    shape = shape or Shape()
    started, cpu_started = time.monotonic(), time.process_time()
    texts = load_texts()
    tokenizer = make_tokenizer(texts, shape.vocab)
    sampler = Sampler(texts, tokenizer, seed=seed)
    weights = new_weights(shape, seed=seed)
    optimizer = AdamW(weights)
    report(f"{parameter_count(weights):,} parameters, seed {seed}, {steps} steps", flush=True)
    losses: deque[float] = deque(maxlen=30)
    reported = started
    for step in range(1, steps + 1):
        loss, gradients = loss_and_gradients(weights, shape, *sampler.batch(TOKENS_PER_STEP))
        optimizer.update(weights, gradients, learning_rate(step, steps, PEAK_RATE))
        losses.append(loss)
        now = time.monotonic()
        if now - reported >= REPORT_EVERY_S or step == steps:
            reported = now
            left_s = (now - started) / step * (steps - step)
            report(
                f"step {step:4d}/{steps}  loss {np.mean(losses):.3f}  {now - started:4.0f} s "
                f"(cpu {time.process_time() - cpu_started:.0f} s), about {left_s:.0f} s left",
                flush=True,
            )
    return Model(shape, weights, tokenizer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=SHIPPED_SEED)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="default: %(default)s")
    options = parser.parse_args()
    save(train(seed=options.seed, steps=options.steps), options.out)
    print(f"wrote {options.out}\nnext: python k8s/model/export.py {options.out}")


if __name__ == "__main__":
    main()
