"""The end of a Pod's name, which tells it apart from the others of its Deployment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

# NAME-HASH-RANDOM, in the letters that Kubernetes uses for both: no vowels, so no words
_SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
_MADE = re.compile(rf".+-{_SAFE}{{6,10}}-({_SAFE}{{5}})")


def short(names: Iterable[str]) -> dict[str, str]:
    """Pod → its last five characters where Kubernetes made them, else its whole name.

    >>> short(["ollama-7fc47d9b8c-x2x9z", "ollama-7fc47d9b8c-4lbkq", "ollama", "ollama-0"])
    {'ollama-7fc47d9b8c-x2x9z': 'x2x9z', 'ollama-7fc47d9b8c-4lbkq': '4lbkq', 'ollama': 'ollama', \
'ollama-0': 'ollama-0'}

    Names that would become equal stay whole.

    >>> sorted(short(["a-7fc47d9b8c-x2x9z", "b-7fc47d9b8c-x2x9z"]).values())
    ['a-7fc47d9b8c-x2x9z', 'b-7fc47d9b8c-x2x9z']
    """
    names = list(dict.fromkeys(names))
    ends = {name: found[1] if (found := _MADE.fullmatch(name)) else name for name in names}
    times = Counter(ends.values())
    return {name: end if times[end] == 1 else name for name, end in ends.items()}
