"""What is wrong with a postStart hook: pure functions on facts, each for one row of mistakes.py."""

from __future__ import annotations

import re

from labkit.diagnosis import symptoms
from labkit.diagnosis.facts import Facts, container_of
from labkit.diagnosis.symptoms import named

_ASKS = re.compile(r"\bollama(?:\s+|', ')(?:pull|push|run|create|list|ls|ps|show|cp|rm)\b")


def misspelt_in_hook(facts: Facts) -> str:
    for pod in symptoms.hooks_failed(facts):
        wanted = facts.refused.get(pod["metadata"]["name"], [])
        if wanted or symptoms.PULL_REQUEST.search(facts.log(pod)):
            which = f"model {wanted[-1]}, which the mirror does not have" if wanted else "a model"
            return f"{named(pod)}: its hook reached the server and asked it for {which}"
    return ""


def early_hook(facts: Facts) -> str:
    for pod in symptoms.hooks_failed(facts):
        if any(one.startswith(f"log of {named(pod)} ") for one in facts.unread):
            continue  # then nobody knows which requests it had
        if _ASKS.search(str((container_of(pod) or {}).get("lifecycle"))):
            return f"{named(pod)}: its hook failed, and no request of it is in the server's log"
    return ""
