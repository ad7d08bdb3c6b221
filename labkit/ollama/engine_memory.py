"""How much memory the engine's process needs for a model: by the model's shape alone, no I/O.

Ollama 0.34 on a processor reads the weights into memory of the process's own, so they count whole.
The rest is the KV cache, the buffers of a batch, and the program. Constants: bench/fits.py, where
the prediction stands beside the real process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labkit.errors import Unsupported

DEFAULT_CONTEXT = 4096  # OLLAMA_CONTEXT_LENGTH without a graphics card (its envconfig)
F16_BYTES, F32_BYTES = 2, 4
# the engine with a model of no size: llama-server and its libraries, as the intercept of a line
# through models of 8 192 to 100 000 tokens; its slope is what each token of the vocabulary takes
PROGRAM_BYTES, TOKEN_BYTES = 18 * 2**20, 194
# what a batch needs for each of its tokens, in floats: so many rows of the feed-forward's width,
# and so many of the embedding's ("compute buffer size" in the log of six models, within 3 %)
HIDDEN_ROWS, WIDTH_ROWS = 3, 4
PADDED_CELLS = 256  # llama.cpp rounds the cells of a KV cache up to a multiple of this
# cells that all answers share → tokens of a batch (generationBatchForContext of server/sched.go)
BATCHES = ((4096, 512), (32768, 1024))
MOST_BATCH = 2048
# a layer in so many keeps the whole context, the others a window (llama.cpp's model of that name)
WINDOWED = {"gemma3": 6}
MEASURED = ("gemma3", "granite", "llama", "olmo2", "qwen2", "qwen3")


@dataclass(frozen=True)
class EngineMemory:
    """Bytes of memory that an engine's process needs, part by part.

    It is what the process has once it has answered a prompt that fills a batch. Each further
    prompt of other words adds `token_bytes` for each of its tokens: the engine keeps what it has
    read, up to 8 GiB. `measured` is False for an architecture that bench/fits.py does not have.
    """

    weights_bytes: int
    kv_cache_bytes: int
    batch_bytes: int
    program_bytes: int
    token_bytes: int
    context: int
    parallel: int
    measured: bool

    @property
    def total_bytes(self) -> int:
        """Of the whole process, before its prompt cache grows."""
        return self.weights_bytes + self.kv_cache_bytes + self.batch_bytes + self.program_bytes


def engine_memory(
    info: dict[str, Any], file_bytes: int, *, context: int | None = None, parallel: int = 1
) -> EngineMemory:
    """Return how many bytes the engine's process needs for a model.

    `info` is the metadata of the GGUF, by its own keys, as /api/show has it in `model_info`;
    `file_bytes` the size of the file. `context` is the tokens of one answer (`num_ctx`), None for
    Ollama's 4096, and is cut to what the model was trained with; `parallel` is how many answers run
    at once (`OLLAMA_NUM_PARALLEL`). Raises Unsupported where the metadata is not a language
    model's, ValueError for a number below 1.

    >>> info = {"general.architecture": "llama", "llama.block_count": 12,
    ...     "llama.embedding_length": 512, "llama.feed_forward_length": 1408,
    ...     "llama.attention.head_count": 8, "llama.context_length": 2048, "llama.vocab_size": 8192}
    >>> engine_memory(info, 85_670_784).total_bytes // 2**20
    163
    >>> engine_memory(info, 85_670_784, parallel=2).kv_cache_bytes // 2**20
    96
    """
    if parallel < 1 or (context is not None and context < 1) or file_bytes < 1:
        raise ValueError("context, parallel and file_bytes are 1 or more")
    kind = str(info.get("general.architecture") or "")

    def number(key: str, default: int = 0) -> int:
        found = info.get(f"{kind}.{key}") or default
        # some models say it layer by layer: the largest is on the safe side
        return max(map(int, found), default=0) if isinstance(found, list) else int(found)

    layers, width = number("block_count"), number("embedding_length")
    heads = number("attention.head_count")
    if not (kind and layers and width and heads):
        raise Unsupported(
            "this model's memory cannot be calculated",
            f"its metadata is of architecture {kind or 'none'} and lacks layers, width or heads",
            "load it, and look at its llama-server with top, inside the Pod",
        )
    trained = number("context_length", context or DEFAULT_CONTEXT)
    cells = min(context or DEFAULT_CONTEXT, trained)
    batch = next((size for most, size in BATCHES if cells * parallel <= most), MOST_BATCH)
    head = width // heads
    row = number("attention.key_length", head) + number("attention.value_length", head)
    layer_bytes = number("attention.head_count_kv", heads) * row * F16_BYTES  # of one token
    window = number("attention.sliding_window")
    whole, windowed, near = layers, 0, 0
    if window and kind in WINDOWED:
        whole, near = layers // WINDOWED[kind], min(_padded(window + batch), cells)
        windowed = layers - whole
    kv_cache = layer_bytes * (whole * _padded(cells) + windowed * near) * parallel
    vocabulary = number("vocab_size") or len(info.get("tokenizer.ggml.tokens") or ())
    rows = HIDDEN_ROWS * number("feed_forward_length", 4 * width) + WIDTH_ROWS * width
    mask = F16_BYTES * (_padded(cells) + near)
    buffers = batch * (F32_BYTES * rows + mask) + F32_BYTES * vocabulary * parallel
    return EngineMemory(
        weights_bytes=file_bytes,
        kv_cache_bytes=kv_cache,
        batch_bytes=buffers,
        program_bytes=PROGRAM_BYTES + TOKEN_BYTES * vocabulary,
        token_bytes=layer_bytes * layers,
        context=cells,
        parallel=parallel,
        measured=kind in MEASURED,
    )


def _padded(cells: int) -> int:
    """
    >>> _padded(1), _padded(512), _padded(513)
    (256, 512, 768)
    """
    return -(-cells // PADDED_CELLS) * PADDED_CELLS
