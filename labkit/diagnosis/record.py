"""Facts as a file: recorded without secrets, and read again for a test."""

from __future__ import annotations

import dataclasses
import datetime
import re
from pathlib import Path
from typing import Any

import yaml

from labkit.diagnosis.facts import Facts
from labkit.errors import LabError

HIDDEN = "(removed)"
_SECRET_NAME = re.compile(
    r"token|secret|pass|pwd|key$|api[-_]?key|access[-_]?key|private|credential|auth|cookie|session"
    r"|dsn",
    re.IGNORECASE,
)
_SECRETS = (
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),  # user and password in an address
    re.compile(r"(?i)(?<=bearer )[\w.~+/=-]{8,}|(?<=basic )[A-Za-z0-9+/=]{8,}"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"),
    # those with a dash have capitals too, which no name of Kubernetes has
    re.compile(
        r"\b(?:(?:hf|sk|pk|gh[pos]|npm)_|AKIA)[A-Za-z0-9_-]{16,}"
        r"|\b(?:sk|pk|glpat|xox[abp]|pypi)-(?=[\w-]*[A-Z])[\w-]{16,}"
    ),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL),
)
_WORD = (
    r"(?:token|secret|passw(?:or)?d|passphrase|pass|pwd|api[-_]?key|access[-_]?key|cookie"
    r"|session(?:_?id)?)"
)
# NAME=value, "name": "value", and a header's `Name: value`, which is no sentence
_GIVEN = re.compile(
    rf"(?i)([\w-]*{_WORD}(?:=|[\"']\s*[:=]\s*|:\s+(?!\w+ \w))(?:token |bearer |basic )?[\"']?)"
    r"[^\s\"',;&}]+"
)
_FLAG = re.compile(rf"(?i)--?[\w-]*(?:{_WORD}|key)[\w-]*")
# long text of letters of both cases and digits, without a dash or a dot: no name of Kubernetes
_RANDOM = re.compile(
    r"(?<![\w/:-])(?=[A-Za-z0-9+/_]*[a-z])(?=[A-Za-z0-9+/_]*[A-Z])"
    r"(?=[A-Za-z0-9+/_]*\d)[A-Za-z0-9+/_]{32,}={0,2}(?![\w-])"
)
_DROPPED = ("managedFields", "kubectl.kubernetes.io/last-applied-configuration", "images")


def dump(facts: Facts) -> str:
    """YAML of the facts, without secrets: values of variables that are called so, and tokens.

    >>> load(dump(Facts(namespace="a", logs={("p", "c"): "Bearer abcdefgh1"}))).logs
    {('p', 'c'): 'Bearer (removed)'}
    """
    found: dict[str, Any] = {}
    for field in dataclasses.fields(facts):
        value = getattr(facts, field.name)
        if value not in ("", [], {}, ()):
            found[field.name] = list(value) if isinstance(value, tuple) else value
    if "logs" in found:
        found["logs"] = {"/".join(place): text for place, text in facts.logs.items() if text}
    found.setdefault("taken", datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    text: str = yaml.safe_dump(_clean(found), sort_keys=False, allow_unicode=True, width=100)
    return text


def load(text: str) -> Facts:
    """The facts of such a file. Raises LabError."""
    try:
        found = yaml.safe_load(text)
        known = {field.name for field in dataclasses.fields(Facts)}
        if not isinstance(found, dict) or not found.keys() <= known:
            raise ValueError("it has fields that no facts have")
        logs = {(*place.split("/", 1),): text for place, text in found.get("logs", {}).items()}
        more = {"logs": logs, "images": tuple(found.get("images", ()))}
        return Facts(**{**found, **more})
    except (yaml.YAMLError, ValueError, TypeError, AttributeError) as error:
        saw = " ".join(str(error).split())[:200]
        hint = "./lab diagnose --facts > facts.yaml"
        raise LabError("these are not recorded facts", saw, hint) from None


def read(file: Path) -> Facts:
    """The same of a file. Raises LabError, OSError."""
    return load(file.read_text())


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        if "name" in value and "value" in value and _SECRET_NAME.search(str(value["name"])):
            return {**value, "value": HIDDEN}
        if isinstance(value.get("annotations"), dict):
            value = {**value, "annotations": _annotations(value["annotations"])}
        return {
            key: _clean(one)
            for key, one in value.items()
            if key not in _DROPPED or (key == "images" and all(isinstance(i, str) for i in one))
        }
    if isinstance(value, list):
        before = ["", *map(str, value)]
        return [
            HIDDEN if isinstance(one, str) and _FLAG.fullmatch(last) else _clean(one)
            for last, one in zip(before, value, strict=False)
        ]
    return _without_secrets(value) if isinstance(value, str) else value


def _annotations(given: dict[str, Any]) -> dict[str, Any]:
    """Without those that keep a whole object, as kapp and kopf do, and those called so."""
    return {
        key: HIDDEN if _SECRET_NAME.search(key) or str(one)[:1] in ("{", "[") else one
        for key, one in given.items()
    }


def _without_secrets(text: str) -> str:
    for pattern in (*_SECRETS, _RANDOM):
        text = pattern.sub(HIDDEN, text)
    return _GIVEN.sub(rf"\1{HIDDEN}", text)
