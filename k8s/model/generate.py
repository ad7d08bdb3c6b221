"""Greedy answers from the network in numpy, many prompts at a time."""

from collections import defaultdict

import numpy as np

from network import Shape, Weights, layer_weights, rms_norm, rotate, swiglu, turns
from tokenizer import END, Tokenizer

LONGEST_ANSWER = 160  # tokens; num_predict in the Modelfile


def answers(weights: Weights, shape: Shape, tokenizer: Tokenizer, questions) -> list[str]:
    """The answer to each question, as Ollama gives it at temperature 0."""
    prompts = [tokenizer.prompt(q) for q in questions]
    # prompts of one length need no padding
    by_length = defaultdict(list)
    for n, prompt in enumerate(prompts):
        by_length[len(prompt)].append(n)
    found = [""] * len(prompts)
    for members in by_length.values():
        written = greedy(weights, shape, np.array([prompts[n] for n in members]))
        for n, ids in zip(members, written, strict=True):
            found[n] = tokenizer.decode(ids)
    return found


def greedy(weights: Weights, shape: Shape, prompts: np.ndarray, limit=LONGEST_ANSWER):
    """The ids written after each row of prompts, up to but without the end token."""
    rows, read = prompts.shape
    past = [[None, None] for _ in range(shape.layers)]
    for position in range(read):
        logits = step(weights, shape, prompts[:, position], position, past)
    written = []
    going = np.ones(rows, bool)
    while going.any() and len(written) < limit:
        token = np.where(going, logits.argmax(-1), END)
        written.append(token)
        going &= token != END
        logits = step(weights, shape, token, read + len(written) - 1, past)
    columns = np.array(written).T
    return [[int(t) for t in row[: np.argmax(row == END) if END in row else limit]]
            for row in columns]  # fmt: skip


def step(weights: Weights, shape: Shape, tokens, position: int, past):
    """Logits after one more token in each row; keys and values are kept in `past`."""
    x = weights["token_embd"][tokens]
    turn = turns(shape, np.array([position]), x.dtype)
    for n in range(shape.layers):
        w = layer_weights(weights, shape, n)
        normed, _ = rms_norm(x, w["attn_norm"], shape.norm_epsilon)
        q, k, v = (
            (normed @ w[name].T).reshape(len(x), shape.heads, 1, -1)
            for name in ("attn_q", "attn_k", "attn_v")
        )
        q, k = rotate(q, turn), rotate(k, turn)
        for which, new in enumerate((k, v)):
            old = past[n][which]
            past[n][which] = new if old is None else np.concatenate((old, new), axis=2)
        score = q @ past[n][0].swapaxes(-1, -2) * x.dtype.type(shape.head_width**-0.5)
        score = np.exp(score - score.max(-1, keepdims=True))
        mixed = (score / score.sum(-1, keepdims=True)) @ past[n][1]
        x = x + mixed.reshape(len(x), -1) @ w["attn_output"].T
        ffn_in, _ = rms_norm(x, w["ffn_norm"], shape.norm_epsilon)
        inner, _ = swiglu(ffn_in @ w["ffn_gate"].T, ffn_in @ w["ffn_up"].T)
        x = x + inner @ w["ffn_down"].T
    final, _ = rms_norm(x, weights["output_norm"], shape.norm_epsilon)
    return final @ weights["token_embd"].T
