"""`lab.fits` beside real engines: two shapes, in an Ollama of their own (bench/fits.py)."""

import sys
from pathlib import Path

import pytest

import labkit

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
from fits import GOAL, PROMPTS, Shape, ask, load, ollama, resident, write

SHAPES = [
    Shape("fits-qwen3", "qwen3", 6, 512, 1408, 8, 2, 32000, "Q8_0", 4096, head=128),
    Shape("fits-gemma3", "gemma3", 6, 256, 1024, 4, 1, 50000, "F16", 4096, head=128, window=512),
]


@pytest.mark.usefixtures("twins")
def test_engines_have_the_memory_that_was_predicted(tmp_path, capsys, monkeypatch):
    file = tmp_path / "model.gguf"
    with ollama(tmp_path, 1, None) as (client, inside):
        monkeypatch.setenv("OLLAMA_HOST", str(client.base_url))
        for shape in SHAPES:
            write(shape, file)
            digest = load(client, shape, file)
            capsys.readouterr()
            found = labkit.fits(shape.name, context=shape.context)
            assert capsys.readouterr().out == f"$ ollama show {shape.name}\n"
            ask(client, shape, PROMPTS[0])
            seen, _ = resident(digest, inside)
            assert found.engine.measured
            assert found.engine.total_bytes == pytest.approx(seen, rel=GOAL), shape.name
            assert found.nodes, "no node has room for a model this small"
