"""One HTTP request of a probe: its answer as it is, of whatever status, within a deadline."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from labkit.setup.host import paths, web

LATE = "late"
MOST_BYTES = 4 * 2**20  # of an answer: those of the facts have a few thousand
FILES = {"lab-llama.gguf": ("model", "lab-llama.gguf")}


def body(step: dict[str, Any]) -> bytes | None:
    """What a step sends: `json`, `body` as it is, or one of the lab's own files."""
    if "json" in step:
        return json.dumps(step["json"]).encode()
    if "file" in step:
        return paths.k8s(*FILES[step["file"]]).read_bytes()
    return step["body"].encode() if "body" in step else None


@dataclass(frozen=True)
class Request:
    """What is asked, and until when an answer counts."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    deadline: float

    def answered(self) -> dict[str, Any] | str:
        """The answer as a dict, or why there is none: LATE, or what the system said.

        It has `status`, `type`, `headers`, `text` and seconds. Of a body of JSON it has `json`,
        of a stream of objects `lines`, `first` and `last`. `cut`: the connection ended before it.
        """
        import httpx

        began = time.monotonic()
        left_s = max(self.deadline - began, 0.05)
        try:
            with (
                web.client(left_s) as client,
                client.stream(
                    self.method,
                    self.url,
                    headers={"Accept-Encoding": "identity", **self.headers},
                    content=self.body,
                    follow_redirects=False,
                ) as answer,
            ):
                data, is_cut, first_s = self._read(answer)
        except (httpx.TimeoutException, TimeoutError):
            return LATE
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return f"no answer: {str(error) or type(error).__name__}"
        reply = {
            "status": answer.status_code,
            "type": answer.headers.get("content-type", ""),
            "headers": dict(answer.headers),
            "text": data.decode(errors="replace"),
            "cut": is_cut,
            "first_s": round(first_s - began, 3),
            "whole_s": round(time.monotonic() - began, 3),
        }
        return reply | _objects(reply["text"])

    def _read(self, answer: Any) -> tuple[bytes, bool, float]:
        import httpx

        data, first = b"", 0.0
        try:
            for piece in answer.iter_raw():
                first = first or time.monotonic()
                data += piece
                if time.monotonic() > self.deadline or len(data) > MOST_BYTES:
                    raise TimeoutError
        except (httpx.RemoteProtocolError, httpx.ReadError):
            return data, True, first or time.monotonic()
        return data, False, first or time.monotonic()


def _objects(text: str) -> dict[str, Any]:
    r"""The JSON in a body: of one object, or of a stream in either of the two dialects.

    >>> _objects('{"a": 1}'), _objects('data: {"a": 2}\n\ndata: [DONE]\n\n')["last"]
    ({'json': {'a': 1}, 'lines': [{'a': 1}], 'first': {'a': 1}, 'last': {'a': 1}}, {'a': 2})
    >>> _objects('data: {"a": 2}\n\ndata: [DONE]\n\n')["done"], _objects("404 page not found")
    (True, {})
    """
    found: dict[str, Any] = {}
    lines = []
    for line in text.splitlines():
        line = line.removeprefix("data: ")
        if line == "[DONE]":
            found["done"] = True
        elif line.startswith(("{", "[")):
            try:
                lines.append(json.loads(line))
            except ValueError:
                break
    with suppress(ValueError):
        found["json"] = json.loads(text)
    if lines:
        found |= {"lines": lines, "first": lines[0], "last": lines[-1]}
    return found
