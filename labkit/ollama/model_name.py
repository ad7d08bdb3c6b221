"""Names of models, as Ollama writes them."""


def same(name: str, other: str) -> bool:
    """Two names of one model: `:latest` may be left out.

    >>> same("lab-llama:latest", "lab-llama"), same("a:1b", "a")
    (True, False)
    """
    return name.removesuffix(":latest") == other.removesuffix(":latest")
