"""A trained model as one object, in an .npz file or read back from a GGUF."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import gguf
import numpy as np

from network import Shape, Weights
from tokenizer import Tokenizer


@dataclass(frozen=True)
class Model:
    shape: Shape
    weights: Weights
    tokenizer: Tokenizer


def save(model: Model, path: Path) -> None:
    about = {
        "shape": asdict(model.shape),
        "vocabulary": model.tokenizer.vocabulary,
        "merges": model.tokenizer.merges,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    with unfinished.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), **model.weights)
    unfinished.replace(path)


def load(path: Path) -> Model:
    """The model in an .npz (float32) or in a GGUF that export.py wrote (F16 and F32 only)."""
    return _from_gguf(path) if path.suffix == ".gguf" else _from_npz(path)


def _from_npz(path: Path) -> Model:
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
        weights = {name: file[name] for name in file.files if name != "about"}
    tokenizer = Tokenizer(about["vocabulary"], about["merges"])
    return Model(Shape(**about["shape"]), weights, tokenizer)


def _from_gguf(path: Path) -> Model:
    reader = gguf.GGUFReader(path)

    def field(name):
        return reader.fields[name].contents()

    shape = Shape(
        vocab=field("llama.vocab_size"),
        width=field("llama.embedding_length"),
        layers=field("llama.block_count"),
        heads=field("llama.attention.head_count"),
        hidden=field("llama.feed_forward_length"),
        norm_epsilon=field("llama.attention.layer_norm_rms_epsilon"),
    )
    merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
    weights = {t.name.removesuffix(".weight"): np.array(t.data, np.float32) for t in reader.tensors}
    return Model(shape, weights, Tokenizer(field("tokenizer.ggml.tokens"), merges))
