"""The request of a plan as bytes, made once and sent as often as the plan says."""

from __future__ import annotations

from labkit.load.errors import LoadError
from labkit.load.plan import Plan

OLLAMA = {"generate": "/api/generate", "chat": "/api/chat"}
OPENAI = ("/v1/chat/completions", "/v1/completions")
PULL = "/api/pull"  # its errors come under a 200 too: the first line is written before the work


def split(url: str) -> tuple[str, int, str]:
    """Host, port and path of an http URL; raises LoadError.

    >>> split("http://[::1]:11434/api/tags?x=1")
    ('::1', 11434, '/api/tags?x=1')
    """
    scheme, colon, rest = url.partition("://")
    if not colon or scheme.lower() != "http":
        hint = f"http://{rest or scheme or '127.0.0.1:11434'} in place of {url}"
        raise LoadError("the target is not an http URL (TLS is not supported)", url, hint)
    end = min((rest.find(mark) for mark in "/?#" if mark in rest), default=len(rest))
    authority, path = rest[:end], rest[end:].partition("#")[0]
    host, bracket, port = authority.rpartition("]") if "[" in authority else (authority, "", "")
    if bracket:
        host, port = host.removeprefix("["), port.removeprefix(":")
    else:
        host, _, port = authority.partition(":")
    port = port or "80"
    if not host or "@" in authority or not (port.isdecimal() and 0 < int(port) < 65536):
        raise LoadError("the URL's host or port cannot be read", url, "http://127.0.0.1:11434")
    return host, int(port), path if path.startswith("/") else "/" + path


def speaks_ollama(plan: Plan) -> bool:
    """Are answers lines of JSON that end in one with "done": true, or a pull's "success"?"""
    path = split(plan.url)[2].partition("?")[0]
    return plan.api is not None or path.endswith((*OLLAMA.values(), PULL))


def speaks_openai(plan: Plan) -> bool:
    """Are answers OpenAI's: an object, or events that end in one with a finish_reason?"""
    path = split(plan.url)[2].partition("?")[0]
    return not speaks_ollama(plan) and path.endswith(OPENAI)


def content(plan: Plan) -> bytes:
    """The body: what the plan gives, or Ollama's JSON from its model and prompt."""
    if plan.api is None:
        return (plan.body or "").encode()
    import json

    if plan.api == "chat":
        asked: dict[str, object] = {"messages": [{"role": "user", "content": plan.prompt}]}
    else:
        asked = {"prompt": plan.prompt}
    if plan.num_predict is not None:
        asked["options"] = {"num_predict": plan.num_predict}
    if not plan.stream:
        asked["stream"] = False
    return json.dumps({"model": plan.model, **asked}).encode()


def encode(plan: Plan) -> bytes:
    """The whole request, head and body; raises LoadError."""
    _, _, path = split(plan.url)
    if plan.api and path == "/":
        path = OLLAMA[plan.api]
    body = content(plan)
    authority = plan.url.partition("://")[2]
    end = min((authority.find(mark) for mark in "/?#" if mark in authority), default=None)
    fields = {"host": ("Host", authority[:end]), "user-agent": ("User-Agent", "labkit.load")}
    if body or plan.method in ("POST", "PUT", "PATCH"):
        fields["content-length"] = ("Content-Length", str(len(body)))
    if plan.api:
        fields["content-type"] = ("Content-Type", "application/json")
    if not plan.keep_alive:
        fields["connection"] = ("Connection", "close")
    for name, value in plan.headers:
        fields[name.lower()] = (name, value)
    lines = [f"{plan.method} {path} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.values())]
    if any(char in line for line in lines for char in "\r\n\0") or " " in path + plan.method:
        saw = next(line for line in lines if set(line) & set("\r\n\0 "))
        raise LoadError("a header, the method or the path cannot be sent", repr(saw), "-H 'A: b'")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
