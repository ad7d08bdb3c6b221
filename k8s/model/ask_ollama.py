"""Asks a running Ollama over HTTP, with nothing but the standard library."""

import json
import urllib.request


class OllamaModel:
    """One model on one server; every answer is the last line of a finished stream."""

    def __init__(self, url: str, name: str, *, timeout_s: float = 120):
        self.url, self.name, self.timeout_s = url.rstrip("/"), name, timeout_s

    def generate(self, prompt: str, **options) -> dict:
        """Ollama's final JSON object; without `done: true` the server broke off."""
        return self._post("/api/generate", {"prompt": prompt, "options": options})

    def chat(self, messages: list[dict], **options) -> dict:
        return self._post("/api/chat", {"messages": messages, "options": options})

    def _post(self, path: str, body: dict) -> dict:
        body = {"model": self.name, "stream": False, **body}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=self.timeout_s) as reply:
            return json.loads(reply.read() or "{}")
