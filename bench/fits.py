"""Is the memory that `lab.fits` predicts what the engine's process has?

Eight models of six architectures, with weights of zero, are written, given to an Ollama of the
lab's image, and asked one prompt that fills a batch and then another one. Resident memory is read
from /proc/PID/smaps_rollup of `llama-server`: anonymous, and of files (the program and its
libraries; the page cache of the model's file is not in it). Needs Docker with the lab's images and
1 GB of disk; two minutes.

    python bench/fits.py                    MiB predicted and seen, their difference, the parts
    python bench/fits.py llama-gqa qwen3    of these alone
    python bench/fits.py --program PATH     with the ollama at PATH in place of the container
"""

import argparse
import hashlib
import os
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import gguf
import httpx
import numpy as np
from gguf import GGMLQuantizationType

from labkit.ollama.engine_memory import engine_memory
from labkit.setup.build import catalog

CONTAINER = "lab-bench-fits"
PROMPTS = ("abc xyz " * 230, "fgh kkk " * 230)  # 1,840 letters: a token each
GOAL = 0.10  # of the real process
START_S = 60
FILE_TYPES = {"F16": 1, "Q4_0": 2, "Q8_0": 7}  # general.file_type


@dataclass(frozen=True)
class Shape:
    """A model's shape, and how it is run."""

    name: str
    architecture: str
    layers: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    vocabulary: int
    kind: str
    context: int
    parallel: int = 1
    head: int = 0  # width of one, 0: width / heads
    tied: bool = True  # the embedding is the output's matrix too
    window: int = 0

    @property
    def head_width(self) -> int:
        return self.head or self.width // self.heads


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("llama-small", "llama", 12, 512, 1408, 8, 8, 8192, "F16", 2048),
        Shape("llama-gqa", "llama", 16, 1024, 2816, 16, 4, 32000, "Q8_0", 4096, tied=False),
        Shape("llama-q4", "llama", 20, 1024, 2816, 16, 8, 32000, "Q4_0", 2048, 2, tied=False),
        Shape("qwen2", "qwen2", 14, 896, 2432, 14, 2, 65536, "Q8_0", 8192),
        Shape("qwen3", "qwen3", 12, 768, 2048, 12, 4, 48000, "F16", 2048, 4, head=128),
        Shape("gemma3", "gemma3", 12, 640, 2048, 4, 1, 100000, "Q8_0", 8192, head=256, window=512),
        Shape("granite", "granite", 10, 768, 2048, 12, 4, 49152, "Q8_0", 4096),
        Shape("olmo2", "olmo2", 10, 768, 2048, 12, 12, 50000, "F16", 2048, 2, tied=False),
    )
}


def write(shape: Shape, file: Path) -> None:
    """A GGUF of that shape that loads and answers; what it answers has no meaning."""
    writer = gguf.GGUFWriter(file, shape.architecture)
    writer.add_name(shape.name)
    writer.add_file_type(FILE_TYPES[shape.kind])
    writer.add_context_length(32768)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(shape.vocabulary)
    if shape.window:
        writer.add_sliding_window(shape.window)
    if shape.architecture == "granite":
        for scale in ("logit", "residual", "embedding", "attention"):
            getattr(writer, f"add_{scale}_scale")(1.0)
    _tokenizer(writer, shape.vocabulary)
    for name, size in tensors(shape).items():
        _zeros(writer, name, size, shape.kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def tensors(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Name → rows and columns, as llama.cpp wants them of that architecture."""
    kind, width, hidden, head = shape.architecture, shape.width, shape.hidden, shape.head_width
    queries, keys = head * shape.heads, head * shape.kv_heads
    block: dict[str, tuple[int, ...]] = {
        "attn_q.weight": (queries, width),
        "attn_k.weight": (keys, width),
        "attn_v.weight": (keys, width),
        "attn_output.weight": (width, queries),
        "ffn_gate.weight": (hidden, width),
        "ffn_up.weight": (hidden, width),
        "ffn_down.weight": (width, hidden),
    }
    if kind != "olmo2":
        block |= {"attn_norm.weight": (width,), "ffn_norm.weight": (width,)}
    if kind == "qwen2":
        block |= {"attn_q.bias": (queries,), "attn_k.bias": (keys,), "attn_v.bias": (keys,)}
    if kind in ("qwen3", "gemma3"):
        block |= {"attn_q_norm.weight": (head,), "attn_k_norm.weight": (head,)}
    if kind == "olmo2":
        block |= {"attn_q_norm.weight": (queries,), "attn_k_norm.weight": (keys,)}
    if kind in ("gemma3", "olmo2"):
        block |= {"post_attention_norm.weight": (width,), "post_ffw_norm.weight": (width,)}
    found: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (shape.vocabulary, width),
        "output_norm.weight": (width,),
    }
    if not shape.tied:
        found["output.weight"] = (shape.vocabulary, width)
    for number in range(shape.layers):
        found |= {f"blk.{number}.{name}": size for name, size in block.items()}
    return found


def _zeros(writer: gguf.GGUFWriter, name: str, size: tuple[int, ...], kind: str) -> None:
    if len(size) == 1:
        writer.add_tensor(name, np.zeros(size, np.float32))
    elif kind == "F16":
        writer.add_tensor(name, np.zeros(size, np.float16))
    else:
        quantized = GGMLQuantizationType[kind]
        weights, size_bytes = gguf.GGML_QUANT_SIZES[quantized]
        data = np.zeros((size[0], size[1] // weights * size_bytes), np.uint8)
        writer.add_tensor(name, data, raw_dtype=quantized)


def _tokenizer(writer: gguf.GGUFWriter, size: int) -> None:
    """Of bytes: each letter is a token; the rest is never met."""
    # GPT-2 writes a byte that no font shows as a letter from 256 on
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in plain] + [chr(256 + n) for n in range(256 - len(plain))]
    tokens = ["<|begin|>", "<|end|>", *letters]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens + [f"<{number}>" for number in range(size - len(tokens))])
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_token_types([control] * 2 + [normal] * (size - 2))
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)


def load(client: httpx.Client, shape: Shape, file: Path) -> str:
    """Give the file to that Ollama as a model of the shape's name; its digest."""
    with file.open("rb") as opened:
        digest = f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"
    blob = f"/api/blobs/{digest}"
    if client.head(blob).status_code != httpx.codes.OK:
        client.post(blob, content=file.read_bytes()).raise_for_status()
    files = {file.name: digest}
    body = {"model": shape.name, "files": files, "template": "{{ .Prompt }}", "stream": False}
    client.post("/api/create", json=body).raise_for_status()
    return digest


def ask(client: httpx.Client, shape: Shape, prompt: str) -> None:
    options = {"num_ctx": shape.context, "num_predict": 3, "num_thread": 1, "temperature": 0}
    body = {"model": shape.name, "prompt": prompt, "options": options, "stream": False}
    client.post("/api/generate", json=body).raise_for_status()


def resident(digest: str, inside: list[str]) -> tuple[int, int]:
    """(resident, anonymous) bytes of the engine that has loaded that file.

    `inside` are the words that run a command where the engine runs.
    """
    blob = digest.replace(":", "-")
    script = (  # whose own words would match as well
        "for each in /proc/[0-9]*; do [ $each = /proc/$$ ] || case $(tr '\\0' ' ' < $each/cmdline)"
        f" in *llama-server*--model*{blob}*) cat $each/smaps_rollup;; esac; done 2>/dev/null"
    )
    words = [*inside, "sh", "-c", script]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    found = re.findall(r"^(?:Rss|Anonymous):\s+(\d+) kB", done.stdout, re.M)
    if len(found) != len(("Rss", "Anonymous")):
        raise SystemExit(f"one engine should have loaded {blob}: {done.stdout}{done.stderr}")
    rss, anonymous = (int(size) * 1024 for size in found)
    return rss, anonymous


@contextmanager
def ollama(folder: Path, parallel: int, program: str | None) -> Iterator[tuple[httpx.Client, list]]:
    """An Ollama that answers so many at once, and the words that run a command where it runs."""
    with socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    settings = {"OLLAMA_NUM_PARALLEL": str(parallel), "OLLAMA_NO_CLOUD": "1"}
    inside: list[str] = []
    if program:
        where = {"OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_MODELS": str(folder / "store")}
        command = [program, "serve"]
        settings |= {**where, "HOME": str(folder), "PATH": os.environ["PATH"]}
    else:
        inside = ["docker", "exec", CONTAINER]
        command = ["docker", "run", "--rm", "--name", CONTAINER, "-p", f"127.0.0.1:{port}:11434"]
        for name, value in settings.items():
            command += ["-e", f"{name}={value}"]
        command += [catalog.load().image("ollama/ollama").reference, "serve"]
        settings = dict(os.environ)
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=settings, stdout=log, stderr=log)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300, trust_env=False)
    try:
        deadline = time.monotonic() + START_S
        while True:
            with suppress(httpx.HTTPError):
                client.get("/api/version")
                break
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{shlex.join(command)}: {(folder / 'log').read_text()[-500:]}")
            time.sleep(0.1)
        yield client, inside
    finally:
        client.close()
        if not program:
            subprocess.run(["docker", "rm", "-f", CONTAINER], capture_output=True, check=False)
        server.terminate()
        server.wait(30)


def measured(shape: Shape, program: str | None) -> float:
    """Prints a row of the table; how far the prediction is off, as a share."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "model.gguf"
        write(shape, file)
        with ollama(folder, shape.parallel, program) as (client, inside):
            digest = load(client, shape, file)
            shown = client.post("/api/show", json={"model": shape.name}).json()
            size, context = file.stat().st_size, shape.context
            info, parallel = shown["model_info"], shape.parallel
            need = engine_memory(info, size, context=context, parallel=parallel)
            ask(client, shape, PROMPTS[0])
            seen, anonymous = resident(digest, inside)
            ask(client, shape, PROMPTS[1])
            after, _ = resident(digest, inside)
            estimate = client.get("/api/ps").json()["models"][0]["size"]
    off = need.total_bytes / seen - 1
    cells = (size, estimate, need.total_bytes, seen, anonymous, after - seen)
    row = "".join(f"{value / 2**20:10.1f}" for value in cells)
    print(f"{shape.name:12}{context:6} x {parallel}{row}{off:+9.1%}", flush=True)
    return off


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shapes", nargs="*", help=f"of {', '.join(SHAPES)}; default: all")
    parser.add_argument("--program", help="an ollama with its engine, in place of the container")
    options = parser.parse_args()
    if unknown := set(options.shapes) - set(SHAPES):
        parser.error(f"no such shape: {', '.join(sorted(unknown))}")
    names = ("file", "ollama ps", "predicted", "resident", "anonymous", "2nd, more")
    print(f"{'MiB':12}{'context':>10}{''.join(f'{name:>10}' for name in names)}{'off':>9}")
    worst = max(abs(measured(SHAPES[one], options.program)) for one in options.shapes or SHAPES)
    print(f"worst {worst:.1%}, goal {GOAL:.0%}")
    raise SystemExit(worst > GOAL)


if __name__ == "__main__":
    main()
