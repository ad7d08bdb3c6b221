"""What `kubectl wait --for` takes: condition=X, jsonpath={.a.b}=V, delete, create."""

from __future__ import annotations

import re
from typing import NamedTuple

from labkit.errors import LabError
from labkit.kube.rollouts import observed, pending

__all__ = ["Until", "observed", "parsed", "usual", "values"]

_STEP = re.compile(r"(\.\.?)([\w/-]+)|\[(\d+|\*)\]")
_CONDITIONS = {"Deployment": "Available", "Job": "Complete", "APIService": "Available"}
_COUNTS = {  # kinds that have no condition: these two fields say the same
    "StatefulSet": ("readyReplicas", "spec", "replicas"),
    "ReplicaSet": ("readyReplicas", "spec", "replicas"),
    "DaemonSet": ("numberReady", "status", "desiredNumberScheduled"),
}
_PHASES = {"PersistentVolumeClaim": "Bound", "Namespace": "Active"}


class Until(NamedTuple):
    """A goal; `str()` is kubectl's own way to write it."""

    verb: str  # condition, jsonpath, delete, create; and rollout (of that kind), as rollout status
    name: str = ""
    value: str = ""

    def __str__(self) -> str:
        text = f"{self.verb}={self.name}" if self.name else self.verb
        return f"{text}={self.value}" if self.value else text

    def met(self, item: dict) -> bool:
        """Has this object come as far? Not called for `delete` and `create`.

        >>> pod = {"status": {"podIP": "10.0.0.3", "conditions": [{"type": "Ready",
        ...     "status": "True"}]}}
        >>> parsed("condition=ready").met(pod), parsed("condition=Ready=false").met(pod)
        (True, False)
        >>> parsed("jsonpath={..podIP}").met(pod)
        True
        """
        if self.verb == "rollout":
            return not pending(self.name or "Deployment", item)
        if self.value == "0" and not values(item, self.name):
            return observed(item)  # a count of none is left out
        if self.verb == "jsonpath":
            found = [_text(value) for value in values(item, self.name)]
            return self.value in found if self.value else any(found)
        wanted = (self.name.lower(), (self.value or "true").lower())
        return observed(item) and any(
            (condition["type"].lower(), condition["status"].lower()) == wanted
            for condition in item.get("status", {}).get("conditions", [])
        )


def parsed(text: str) -> Until:
    """The goal that kubectl reads from this text.

    >>> str(parsed("jsonpath={.status.phase}=Running"))
    'jsonpath={.status.phase}=Running'
    """
    if text in ("delete", "create"):
        return Until(text)
    if match := re.fullmatch(r"condition=([^=]+)(?:=(.+))?", text, re.IGNORECASE):
        return Until("condition", match[1], match[2] or "")
    if match := re.fullmatch(r"jsonpath='?(\{[^{}]+\})'?(?:=(.+))?", text):
        values({}, match[1])
        return Until("jsonpath", match[1], match[2] or "")
    raise LabError(
        f"wait does not understand until={text!r}",
        "it knows condition=NAME, jsonpath={.path}, delete and create",
        'lab.wait("pod/ollama", until="condition=Ready")',
    )


def usual(kind: str, item: dict) -> Until:
    """What one waits for with an object of this kind, when nothing else is said.

    >>> str(usual("Deployment", {})), str(usual("StatefulSet", {"spec": {"replicas": 3}}))
    ('condition=Available', 'jsonpath={.status.readyReplicas}=3')
    """
    if kind == "DaemonSet" and not observed(item, kind):
        return Until("rollout", kind)  # nobody knows yet how many it wants
    if kind in _COUNTS:
        ready, part, wanted = _COUNTS[kind]
        count = item.get(part, {}).get(wanted, 1)
        return Until("jsonpath", f"{{.status.{ready}}}", str(count))
    if kind in _PHASES:
        return Until("jsonpath", "{.status.phase}", _PHASES[kind])
    return Until("condition", _CONDITIONS.get(kind, "Ready"))


def values(item: object, path: str) -> list:
    """What a jsonpath finds; of its language dots, `..name`, `[0]` and `[*]`.

    >>> values({"a": [{"ip": 1}, {"ip": 2}]}, "{.a[1].ip}"), values({"a": [{"ip": 1}]}, "{..ip}")
    ([2], [1])
    """
    inner, found, place = path.strip("{}").removeprefix("$"), [item], 0
    while place < len(inner):
        step = _STEP.match(inner, place)
        if not step:
            raise LabError(
                f"wait does not understand the jsonpath {path}",
                f"it stopped at {inner[place:]}",
                "use dots, ..name, [0] and [*] only",
            )
        dots, name, index = step.groups()
        if dots == "..":
            found = [value for start in found for value in _anywhere(start, name)]
        elif dots:
            found = [start[name] for start in found if isinstance(start, dict) and name in start]
        else:
            rows = [start for start in found if isinstance(start, list)]
            found = [
                value for row in rows for value in (row if index == "*" else row[int(index) :][:1])
            ]
        place = step.end()
    return found


def _anywhere(item: object, name: str) -> list:
    if isinstance(item, list):
        return [value for part in item for value in _anywhere(part, name)]
    if not isinstance(item, dict):
        return []
    here = [item[name]] if name in item else []
    return here + [value for part in item.values() for value in _anywhere(part, name)]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
