"""The network: llama architecture in numpy, forward and hand-written backward.

Tokens of all rows lie one after the other ("flat", no padding), so the large matrix products
do no idle work; only attention spreads them on a padded grid of rows. Everything follows the
dtype of the weights: float32 trains, float64 lets a test check the gradients.
"""

from dataclasses import dataclass

import numpy as np

ROPE_BASE = 10000.0
Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class Shape:
    vocab: int = 1024
    width: int = 128
    layers: int = 3
    heads: int = 4
    hidden: int = 352
    norm_epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Name and (outputs, inputs) of the matrices of one layer, by llama.cpp's names."""
        square = (self.width, self.width)
        return {
            "attn_q": square,
            "attn_k": square,
            "attn_v": square,
            "attn_output": square,
            "ffn_gate": (self.hidden, self.width),
            "ffn_up": (self.hidden, self.width),
            "ffn_down": (self.width, self.hidden),
        }


def parameter_count(weights: Weights) -> int:
    return sum(w.size for w in weights.values())


def new_weights(shape: Shape, *, seed: int = 0, dtype=np.float32) -> Weights:
    random = np.random.default_rng(seed)
    weights = {
        "token_embd": random.normal(0, 0.05, (shape.vocab, shape.width)),
        "output_norm": np.ones(shape.width),
    }
    for layer in range(shape.layers):
        for name, (outputs, inputs) in shape.matrices().items():
            # what is added to the residual stream starts smaller, so that depth does not inflate it
            calm = 0.5 if name in ("attn_output", "ffn_down") else 1.0
            spread = calm / np.sqrt(inputs)
            weights[f"blk.{layer}.{name}"] = random.normal(0, spread, (outputs, inputs))
        weights[f"blk.{layer}.attn_norm"] = np.ones(shape.width)
        weights[f"blk.{layer}.ffn_norm"] = np.ones(shape.width)
    return {name: w.astype(dtype) for name, w in weights.items()}


class Grid:
    """Where each flat token sits on the padded grid of rows; padding only ever follows a row."""

    def __init__(self, lengths: list[int], heads: int):
        self.rows, self.longest, self.heads = len(lengths), max(lengths), heads
        self.place = np.concatenate(
            [row * self.longest + np.arange(n) for row, n in enumerate(lengths)]
        )

    def spread(self, flat: np.ndarray) -> np.ndarray:
        """(tokens, width) -> (rows, heads, longest, head width)"""
        padded = np.zeros((self.rows * self.longest, flat.shape[1]), flat.dtype)
        padded[self.place] = flat
        split = padded.reshape(self.rows, self.longest, self.heads, -1)
        return np.ascontiguousarray(split.transpose(0, 2, 1, 3))

    def gather(self, grid: np.ndarray) -> np.ndarray:
        """The inverse of spread."""
        merged = grid.transpose(0, 2, 1, 3).reshape(self.rows * self.longest, -1)
        return merged[self.place]


def turns(shape: Shape, positions: np.ndarray, dtype) -> np.ndarray:
    """RoPE's rotations as unit complex numbers, one for each position and pair of entries."""
    speeds = ROPE_BASE ** (-np.arange(0, shape.head_width, 2) / shape.head_width)
    return np.exp(1j * np.outer(positions, speeds)).astype(np.result_type(dtype, np.complex64))


def rotate(x: np.ndarray, turn: np.ndarray) -> np.ndarray:
    # arch llama rotates neighbouring entries, which in memory are one complex number
    return (x.view(turn.dtype) * turn).view(x.dtype)


def rms_norm(x, gain, epsilon):
    scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + x.dtype.type(epsilon))
    unit = x * scale
    return unit * gain, (unit, scale, gain)


def rms_norm_backward(d_out, cache):
    unit, scale, gain = cache
    d_unit = d_out * gain
    d_x = scale * (d_unit - unit * np.mean(d_unit * unit, axis=-1, keepdims=True))
    return d_x, (d_out * unit).sum(0)


def attend(q, k, v):
    """Causal attention on the grid; also returns the attention shares."""
    longest = q.shape[2]
    future = np.triu(np.full((longest, longest), -1e9, q.dtype), 1)
    share = q @ k.swapaxes(-1, -2)
    share *= q.dtype.type(q.shape[-1] ** -0.5)
    share += future
    share -= share.max(-1, keepdims=True)
    np.exp(share, out=share)
    share /= share.sum(-1, keepdims=True)
    return share @ v, share


def attend_backward(d_out, q, k, v, share):
    d_v = share.swapaxes(-1, -2) @ d_out
    d_score = d_out @ v.swapaxes(-1, -2)
    d_score -= (d_score * share).sum(-1, keepdims=True)
    d_score *= share
    d_score *= q.dtype.type(q.shape[-1] ** -0.5)
    return d_score @ k, d_score.swapaxes(-1, -2) @ q, d_v


def swiglu(gate, up):
    sigmoid = 1 / (1 + np.exp(-gate))
    return gate * sigmoid * up, sigmoid


def swiglu_backward(d_out, gate, up, sigmoid):
    silu = gate * sigmoid
    d_gate = d_out * up
    d_gate *= sigmoid + silu - silu * sigmoid
    return d_gate, d_out * silu


def forward(weights: Weights, shape: Shape, tokens, lengths, wanted=None):
    """Logits of the wanted flat positions (default all), and what backward needs."""
    grid = Grid(lengths, shape.heads)
    x = weights["token_embd"][tokens]
    turn = turns(shape, np.arange(grid.longest), x.dtype)
    layers = []
    for n in range(shape.layers):
        w = layer_weights(weights, shape, n)
        normed, norm_cache = rms_norm(x, w["attn_norm"], shape.norm_epsilon)
        q, k, v = (grid.spread(normed @ w[name].T) for name in ("attn_q", "attn_k", "attn_v"))
        q, k = rotate(q, turn), rotate(k, turn)
        mixed, share = attend(q, k, v)
        mixed = grid.gather(mixed)
        x = x + mixed @ w["attn_output"].T

        ffn_in, ffn_norm_cache = rms_norm(x, w["ffn_norm"], shape.norm_epsilon)
        gate, up = ffn_in @ w["ffn_gate"].T, ffn_in @ w["ffn_up"].T
        inner, sigmoid = swiglu(gate, up)
        x = x + inner @ w["ffn_down"].T
        layers.append((normed, norm_cache, q, k, v, share, mixed,
                       ffn_in, ffn_norm_cache, gate, up, sigmoid, inner))  # fmt: skip
    if wanted is not None:
        x = x[wanted]
    final, final_cache = rms_norm(x, weights["output_norm"], shape.norm_epsilon)
    return final @ weights["token_embd"].T, (grid, turn, layers, final, final_cache)


def loss_and_gradients(weights: Weights, shape: Shape, tokens, targets, shares, lengths):
    """Mean cross-entropy over the tokens with a share above 0, and its gradient by name."""
    wanted = np.flatnonzero(shares)
    logits, (grid, turn, layers, final, final_cache) = forward(
        weights, shape, tokens, lengths, wanted
    )
    share = (shares[wanted] / shares.sum()).astype(logits.dtype)
    loss, d_logits = _cross_entropy(logits, targets[wanted], share)

    gradients = {"token_embd": d_logits.T @ final}
    d_last, gradients["output_norm"] = rms_norm_backward(
        d_logits @ weights["token_embd"], final_cache
    )
    d_x = np.zeros((len(tokens), shape.width), logits.dtype)
    d_x[wanted] = d_last
    for n in reversed(range(shape.layers)):
        d_x, of_layer = _layer_backward(
            d_x, layer_weights(weights, shape, n), layers[n], grid, turn
        )
        gradients |= {f"blk.{n}.{name}": g for name, g in of_layer.items()}
    _add_rows(gradients["token_embd"], tokens, d_x)
    return loss, gradients


def layer_weights(weights: Weights, shape: Shape, n: int) -> Weights:
    names = (*shape.matrices(), "attn_norm", "ffn_norm")
    return {name: weights[f"blk.{n}.{name}"] for name in names}


def _cross_entropy(logits, targets, share):
    logits -= logits.max(-1, keepdims=True)
    chance = np.exp(logits)
    total = chance.sum(-1, keepdims=True)
    rows = np.arange(len(targets))
    loss = float(((np.log(total[:, 0]) - logits[rows, targets]) * share).sum())
    chance /= total
    chance[rows, targets] -= 1
    chance *= share[:, None]
    return loss, chance


def _layer_backward(d_x, w: Weights, cache, grid: Grid, turn):
    (normed, norm_cache, q, k, v, share, mixed,
     ffn_in, ffn_norm_cache, gate, up, sigmoid, inner) = cache  # fmt: skip
    g = {"ffn_down": d_x.T @ inner}
    d_gate, d_up = swiglu_backward(d_x @ w["ffn_down"], gate, up, sigmoid)
    g["ffn_gate"], g["ffn_up"] = d_gate.T @ ffn_in, d_up.T @ ffn_in
    d_ffn, g["ffn_norm"] = rms_norm_backward(
        d_gate @ w["ffn_gate"] + d_up @ w["ffn_up"], ffn_norm_cache
    )
    d_x = d_x + d_ffn

    g["attn_output"] = d_x.T @ mixed
    d_q, d_k, d_v = attend_backward(grid.spread(d_x @ w["attn_output"]), q, k, v, share)
    # turning back is the transpose of turning
    d_q, d_k = rotate(d_q, turn.conj()), rotate(d_k, turn.conj())
    d_normed = np.zeros_like(d_x)
    for name, d in (("attn_q", d_q), ("attn_k", d_k), ("attn_v", d_v)):
        d = grid.gather(d)
        g[name] = d.T @ normed
        d_normed += d @ w[name]
    d_attn, g["attn_norm"] = rms_norm_backward(d_normed, norm_cache)
    return d_x + d_attn, g


def _add_rows(target, tokens, rows):
    # np.add.at does the same many times slower
    order = np.argsort(tokens, kind="stable")
    used, starts = np.unique(tokens[order], return_index=True)
    target[used] += np.add.reduceat(rows[order], starts, axis=0)
