"""A `!command` of a cell that would wait for what cannot be typed there."""

from __future__ import annotations

import itertools
import shlex

from labkit.errors import CommandFailed

_VALUED = ("--keepalive", "--format", "--think", "--dimensions")  # their value is a word apart
_TERMINAL = {"-it", "-ti", "--tty", "-t"}  # of `kubectl exec`, which passes its own terminal on


def conversation(command: str) -> CommandFailed | None:
    """Return the error of an `ollama run` without a prompt, which starts a conversation.

    >>> print(conversation("ollama run --insecure lab-llama"))
    CommandFailed: ollama run without a prompt starts a conversation
    saw: ollama run --insecure lab-llama, which waits for words that a cell cannot type
    try: !ollama run --insecure lab-llama "What is a Pod?"
    >>> conversation("ollama run lab-llama hello"), conversation("echo hi | ollama run lab-llama")
    (None, None)
    """
    try:
        lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:  # a quote that is not closed: the shell has its own word for it
        return None
    if len(words) < 3 or any(word[0] in "|<>;&()" for word in words if word):
        return None
    if words[:2] == ["kubectl", "exec"] and _TERMINAL & set(words) and "--" in words:
        words = words[words.index("--") + 1 :]
    if words[:2] != ["ollama", "run"]:
        return None
    given = []
    for before, word in itertools.pairwise(words[1:]):
        if not word.startswith("-") and before not in _VALUED:
            given.append(word)
    if len(given) != 1:  # a model alone
        return None
    return CommandFailed(
        "ollama run without a prompt starts a conversation",
        f"{command.strip()}, which waits for words that a cell cannot type",
        f'!{command.strip()} "What is a Pod?"',
    )
