"""Records what a real Ollama answers, for the tests here: recorded/VERSION/.

    python tests/ollama/record.py http://127.0.0.1:11434 models.lab-system:5001/library/lab-llama

It deletes the model, and pulls it. Where the Ollama's processes can be seen and ended from here
(as root, on its machine), `--kill SLOW` also kills the model's process in the middle of an answer
of model SLOW.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

PROMPT = {"prompt": "What is a Pod?"}
SAID = {"messages": [{"role": "user", "content": "What is a Pod?"}]}
LONG = {"format": {"type": "array", "items": {"type": "integer"}, "minItems": 200}}


def answer(url: str, path: str, body: dict | None = None, method: str | None = None) -> bytes:
    """The body of an answer, of whatever status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=600) as found:
            return found.read()
    except urllib.error.HTTPError as error:
        return error.read()


def kill(after_s: float) -> None:
    """Ends the processes that run a model, as the kernel does it at a memory limit."""
    time.sleep(after_s)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue
        program = Path(words[0]).name
        if program == "llama-server" or (program == "ollama" and words[1:2] == ["runner"]):
            os.kill(int(folder.name), signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("--kill", metavar="SLOW", help="a model whose answer takes seconds")
    given = parser.parse_args()
    url, model, slow = given.url, {"model": given.model}, {"model": given.kill}
    version = json.loads(answer(url, "/api/version"))["version"]
    folder = Path(__file__).with_name("recorded") / version
    folder.mkdir(parents=True, exist_ok=True)
    pull = {**model, "insecure": True}
    v1 = {**model, **SAID, "stream": True, "stream_options": {"include_usage": True}}
    answer(url, "/api/delete", model, "DELETE")
    asked: dict[str, tuple] = {
        "pull.ndjson": ("/api/pull", pull),
        "pull-again.ndjson": ("/api/pull", pull),
        "tags.json": ("/api/tags",),
        "pull-nosuch.ndjson": ("/api/pull", {**pull, "model": f"{given.model}-nosuch"}),
        "generate-nosuch.json": ("/api/generate", {"model": "nosuch", **PROMPT}),
        "show-nosuch.json": ("/api/show", {"model": "nosuch"}),
        "generate.ndjson": ("/api/generate", {**model, **PROMPT}),
        "generate-again.ndjson": ("/api/generate", {**model, **PROMPT}),
        "ps.json": ("/api/ps",),
        "v1-chat.txt": ("/v1/chat/completions", v1),
    }
    for name, words in asked.items():
        (folder / name).write_bytes(answer(url, *words))
    if not given.kill:
        return
    # not before: layers that both have would not be pulled above
    answer(url, "/api/pull", {**slow, "insecure": True})
    killed = {
        "generate-killed.ndjson": ("/api/generate", {**slow, **PROMPT, **LONG}),
        "v1-chat-killed.txt": ("/v1/chat/completions", {**v1, **slow}),
    }
    for name, words in killed.items():
        answer(url, "/api/generate", slow)  # it is in memory
        threading.Thread(target=kill, args=(0.5,)).start()
        (folder / name).write_bytes(answer(url, *words))


if __name__ == "__main__":
    main()
