"""labkit/ollama/engine_memory.py: what is predicted stands beside what real engines had."""

import pytest

from labkit.errors import Unsupported
from labkit.ollama.engine_memory import MEASURED, engine_memory

MIB = 2**20
# bench/fits.py with Ollama 0.34.2 on Linux 6.18, 2026-12-01: MiB of the file, of the KV cache as
# the engine's log has it, and of resident memory after a prompt that fills a batch
SEEN = {
    "llama": [
        ((12, 512, 1408, 8, 8, 64, 8192), 2048, 1, 81.7, 48.0, 164.1),
        ((16, 1024, 2816, 16, 4, 64, 32000), 4096, 1, 249.9, 64.0, 363.9),
        ((20, 1024, 2816, 16, 8, 64, 32000), 2048, 2, 162.5, 160.0, 390.2),
    ],
    "qwen2": [((14, 896, 2432, 14, 2, 64, 65536), 8192, 1, 179.7, 56.0, 310.4)],
    "qwen3": [((12, 768, 2048, 12, 4, 128, 48000), 2048, 4, 251.3, 192.0, 512.3)],
    "gemma3": [((12, 640, 2048, 4, 1, 256, 100000), 8192, 1, 134.6, 31.0, 255.2)],
    "granite": [((10, 768, 2048, 12, 4, 64, 49152), 4096, 1, 103.0, 40.0, 189.3)],
    "olmo2": [((10, 768, 2048, 12, 12, 64, 50000), 2048, 2, 282.6, 120.0, 450.3)],
}
SHAPES = [(kind, *row) for kind, rows in SEEN.items() for row in rows]


def metadata(kind: str, shape: tuple[int, ...], trained: int = 32768) -> dict:
    names = ("block_count", "embedding_length", "feed_forward_length", "attention.head_count")
    names += ("attention.head_count_kv", "attention.key_length", "vocab_size")
    info = {f"{kind}.{name}": number for name, number in zip(names, shape, strict=True)}
    info |= {f"{kind}.context_length": trained, f"{kind}.attention.value_length": shape[5]}
    if kind == "gemma3":
        info[f"{kind}.attention.sliding_window"] = 512
    return {"general.architecture": kind, **info}


@pytest.mark.parametrize(("kind", "shape", "context", "parallel", "file", "cache", "seen"), SHAPES)
def test_the_memory_of_real_engines_is_predicted_within_a_tenth(
    kind, shape, context, parallel, file, cache, seen
):
    info = metadata(kind, shape)
    need = engine_memory(info, int(file * MIB), context=context, parallel=parallel)
    assert need.kv_cache_bytes == cache * MIB
    assert need.total_bytes == pytest.approx(seen * MIB, rel=0.1)
    assert need.measured


def test_what_is_called_measured_is_what_was_measured():
    assert set(MEASURED) == set(SEEN)
    assert not engine_memory(metadata("phi3", SEEN["llama"][0][0]), MIB).measured


def test_a_context_above_what_the_model_was_trained_with_is_cut_to_that():
    info = metadata("llama", SEEN["llama"][0][0], trained=512)
    assert engine_memory(info, MIB, context=8192) == engine_memory(info, MIB, context=512)
    assert engine_memory(info, MIB).context == 512


def test_each_prompt_of_other_words_adds_its_own_part_of_the_kv_cache():
    need = engine_memory(metadata("llama", SEEN["llama"][0][0]), MIB, context=2048)
    assert need.token_bytes * 2048 == need.kv_cache_bytes


def test_a_vocabulary_whose_size_is_not_written_down_is_counted():
    info = metadata("qwen2", SEEN["qwen2"][0][0])
    size = info.pop("qwen2.vocab_size")
    counted = engine_memory({**info, "tokenizer.ggml.tokens": ["x"] * size}, MIB)
    assert counted == engine_memory(metadata("qwen2", SEEN["qwen2"][0][0]), MIB)


def test_heads_that_differ_from_layer_to_layer_count_as_the_largest():
    info = metadata("llama", SEEN["llama"][0][0])
    uneven = {**info, "llama.attention.head_count_kv": [2] * 11 + [8]}
    assert engine_memory(uneven, MIB).kv_cache_bytes == engine_memory(info, MIB).kv_cache_bytes


@pytest.mark.parametrize(
    "info", [{}, {"general.architecture": "clip"}, {"general.architecture": None}]
)
def test_what_is_no_language_model_is_said_to_be_none(info):
    with pytest.raises(Unsupported, match="lacks layers, width or heads"):
        engine_memory(info, MIB)


@pytest.mark.parametrize("numbers", [{"context": 0}, {"parallel": 0}, {"parallel": -1}])
def test_a_number_below_one_is_refused(numbers):
    with pytest.raises(ValueError, match="1 or more"):
        engine_memory(metadata("llama", SEEN["llama"][0][0]), MIB, **numbers)
