"""What to try after an error of Ollama's own, by its words; those of 0.34.2 and 0.24.0."""

from __future__ import annotations

import re

_FIXES = (
    # Go's word for a duration that it cannot read
    (r"^time: ", 'keep_alive="10m": a number, and s, m or h'),
    (
        r"token repeat limit reached",
        'another prompt, or options={"repeat_penalty": 1.1}: the model wrote one token 100 times',
    ),
    (
        r"does not support embeddings",
        "a model that is made for embeddings: this one completes text, and no option changes that",
    ),
    (
        r"requires flash_attn",
        "OLLAMA_KV_CACHE_TYPE=f16, or remove OLLAMA_FLASH_ATTENTION, in the server's environment",
    ),
    (
        r"process has terminated: exit status \d+$",
        "the reason is in the server's log; often a misspelt OLLAMA_KV_CACHE_TYPE (f16, q8_0)",
    ),
    (
        r"process has terminated: signal: killed|requires more system memory",
        "a larger memory limit, or a smaller model",
    ),
    (
        r"unexpected EOF",
        "lab.events(): why the model's process ended; then ask once more",
    ),
    (r"-partial.*no such file", "pull once more: another pull into the same folder was quicker"),
    (r"read-only file system", "pull where the folder of models is writable"),
    (r"^option \".*must be of", "a value of that type in options"),
)
_BY_STATUS = {
    403: "OLLAMA_ORIGINS in the server's environment: a foreign Origin gets a 403 without a body",
    405: "the other method: .post(path, {…}) in place of .get(path), or .get in place of .post",
    503: "its queue is full: ask again later, or with fewer clients",
}


def fix(said: str, status: int) -> str:
    """What to try after an error of these words, or of that status.

    >>> fix("llama-server process has terminated: exit status 1", 500)[:34]
    "the reason is in the server's log;"
    >>> fix("HTTP 403", 403)[:14], fix("invalid options", 400)
    ('OLLAMA_ORIGINS', 'fix what the second line names')
    """
    for pattern, text in _FIXES:
        if re.search(pattern, said):
            return text
    return _BY_STATUS.get(status, "fix what the second line names")
