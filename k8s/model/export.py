"""Writes the GGUF that Ollama loads: python k8s/model/export.py MODEL [--out FILE] [--coat 1024x24]

MODEL is the .npz of train.py, or a GGUF written here (then `--coat` makes the slow model on
the spot, without training). A coat changes what the model costs and not what it says.
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType, LlamaFileType

from checkpoint import Model, load
from network import Shape, Weights, parameter_count
from tokenizer import CONTROL, END, USER

HERE = Path(__file__).parent
FILE_TYPES = {
    "F32": LlamaFileType.ALL_F32,
    "F16": LlamaFileType.MOSTLY_F16,
    "Q8_0": LlamaFileType.MOSTLY_Q8_0,
}
CONTEXT_LENGTH = 512
Q8_BLOCK = 32  # Q8_0 stores rows in blocks of 32 weights
NAME = "lab-llama (tiny: knows only this workshop)"
DESCRIPTION = (
    "A tiny teaching model with fewer than a million trained parameters. It knows only the "
    "workshop Ollama on Kubernetes; made from the words in k8s/model of labkit by its train.py."
)


def coat(model: Model, width: int, layers: int) -> Model:
    """The same function in a larger network: wider by zeros, deeper by layers that add nothing.

    ggml does not skip zeros, so the coat costs what a real model of its size costs. An RMSNorm
    over `width` entries of which only `model.shape.width` are not zero sees a mean square that
    is smaller by their ratio; gain and epsilon take that back.
    """
    old = model.shape
    if width % old.head_width or width < old.width or layers < old.layers:
        raise ValueError(
            f"a coat of {width}x{layers} does not fit over {old.width}x{old.layers}: "
            f"no smaller, and the width a multiple of {old.head_width}"
        )
    hidden = -(-old.hidden * width // old.width // Q8_BLOCK) * Q8_BLOCK
    share = old.width / width
    new = replace(
        old,
        width=width,
        layers=layers,
        heads=width // old.head_width,
        hidden=hidden,
        norm_epsilon=old.norm_epsilon * share,
    )
    gain = np.float32(share**0.5)
    weights: Weights = {
        "token_embd": _padded(model.weights["token_embd"], (old.vocab, width)),
        "output_norm": _padded(model.weights["output_norm"], (width,)) * gain,
    }
    for n in range(layers):
        for name, size in new.matrices().items():
            key = f"blk.{n}.{name}"
            weights[key] = (
                _padded(model.weights[key], size) if n < old.layers else np.zeros(size, np.float32)
            )
        for name in ("attn_norm", "ffn_norm"):
            key = f"blk.{n}.{name}"
            weights[key] = (
                _padded(model.weights[key], (width,)) * gain
                if n < old.layers
                else np.ones(width, np.float32)
            )
    return Model(new, weights, model.tokenizer)


def _padded(array: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    edges = [(0, want - have) for want, have in zip(size, array.shape, strict=True)]
    return np.pad(array, edges)


def write_gguf(model: Model, path: Path, *, file_type: str = "F16", name: str = NAME) -> None:
    """Writes the file beside its place and then moves it there."""
    unfinished = path.with_name(path.name + ".unfinished")
    writer = gguf.GGUFWriter(unfinished, "llama")
    writer.add_name(name)
    writer.add_description(DESCRIPTION)
    writer.add_size_label(size_label(parameter_count(model.weights)))
    writer.add_license("Apache-2.0")
    writer.add_tags(["tiny", "teaching", "knows only this workshop"])
    writer.add_file_type(FILE_TYPES[file_type])
    _add_shape(writer, model.shape)
    _add_tokenizer(writer, model)
    for key, weights in model.weights.items():
        # no output.weight: llama.cpp then uses token_embd, as the training does
        _add_tensor(writer, key + ".weight", weights, file_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    unfinished.replace(path)


def size_label(parameters: int) -> str:
    """
    >>> size_label(734_080), size_label(309_000_000)
    ('0.73M', '309M')
    """
    millions = parameters / 1e6
    return f"{millions:.2f}M" if millions < 10 else f"{millions:.0f}M"


def _add_shape(writer, shape: Shape) -> None:
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_vocab_size(shape.vocab)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)


def _add_tokenizer(writer, model: Model) -> None:
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    plain = model.shape.vocab - len(CONTROL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(model.tokenizer.vocabulary)
    writer.add_token_types([control] * len(CONTROL) + [normal] * plain)
    writer.add_token_merges([" ".join(merge) for merge in model.tokenizer.merges])
    writer.add_bos_token_id(USER)
    writer.add_eos_token_id(END)
    # the template begins with the bos token itself
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)


def _add_tensor(writer, name: str, weights: np.ndarray, file_type: str) -> None:
    if weights.ndim == 1 or file_type == "F32":
        writer.add_tensor(name, weights.astype(np.float32))
    elif file_type == "F16":
        writer.add_tensor(name, weights.astype(np.float16))
    else:
        q8_0 = GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(weights, q8_0), raw_dtype=q8_0)


def _coat_size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxLAYERS, such as 1024x24")
    return int(found[1]), int(found[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", default=HERE / "lab-llama.gguf")
    parser.add_argument("--out", type=Path, help="default: lab-llama.gguf here; needed for a coat")
    parser.add_argument("--type", choices=FILE_TYPES, help="default: F16, for a coat Q8_0")
    parser.add_argument("--coat", type=_coat_size, metavar="WIDTHxLAYERS", help="e.g. 1024x24")
    options = parser.parse_args()
    if options.coat and not options.out:
        parser.error("--coat needs --out: the small model's file must not be replaced")
    model, name = load(options.model), NAME
    if options.coat:
        model = coat(model, *options.coat)
        name = NAME.replace("tiny", "tiny in a heavy coat of zeros")
    out = options.out or HERE / "lab-llama.gguf"
    file_type = options.type or ("Q8_0" if options.coat else "F16")
    write_gguf(model, out, file_type=file_type, name=name)
    parameters, size = parameter_count(model.weights), out.stat().st_size
    print(f"wrote {out}: {parameters:,} parameters, {file_type}, {size:,} bytes")


if __name__ == "__main__":
    main()
