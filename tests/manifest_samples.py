"""Manifests as people write them, drawn by chance: each way of YAML to write an object."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

from tests.kube.test_yaml_text import SCALARS


class Plain(NamedTuple):
    """Text that stands in the manifest as it is, without quotes."""

    text: str


# fmt: off
TEXTS = ["", "ollama", "0.24", "yes", "null", "1e3", "a: b", "# no", " a ", "it's", 'say "x"',
         "é 箱", "a\nb\n", "a\n\nb", "$(HOME)", "-", "[a", "{a}", "\t", "2026-01-01", "0x1F"]
# fmt: on
# what begins a flow collection's end or a comment is no plain scalar everywhere
_WORDS = [one for one in SCALARS if one.strip("-") and one[0] not in ":=<" and one[-1] != ":"]
_NULLS = [one for one in SCALARS if one.lower() in ("null", "~")]
LABELS = {"app": "sample"}


def sample(chance: random.Random) -> str:
    """A manifest; most of them are such as an API server takes, others it has to refuse."""
    objects = [_object(chance, number) for number in range(chance.choice([1, 1, 1, 2]))]
    # what is null in a List kubectl refuses by its own check, and alone it asks the API server
    if chance.random() < 0.15 and not any(f"text='{null}'" in repr(objects) for null in _NULLS):
        objects = [{"apiVersion": "v1", "kind": "List", "items": objects}]
    if len(objects) == 1 and chance.random() < 0.1:
        return json.dumps(_without_plain(objects[0]), indent=chance.choice([None, 2, "\t"]))
    texts = [f"{_written(chance, one)}\n" for one in objects]
    text = chance.choice(["---\n", "--- # next\n", "\n---\n\n"]).join(texts)
    text = chance.choice(["", "# made by hand\n", "---\n"]) + text
    return text.replace("\n", "\r\n") if chance.random() < 0.1 and "|" not in text else text


def _object(chance: random.Random, number: int) -> dict[str, Any]:
    kind = chance.choice(["ConfigMap", "ConfigMap", "Pod", "Deployment", "Service", "Job"])
    meta: dict[str, Any] = {"name": f"sample-{number}", "labels": dict(LABELS)}
    if chance.random() < 0.5:
        meta["annotations"] = {"example.org/a": _scalar(chance)}
    versions = {"Deployment": "apps/v1", "Job": "batch/v1"}
    made = {"apiVersion": versions.get(kind, "v1"), "kind": kind, "metadata": meta}
    if kind == "ConfigMap":
        return {**made, "data": {f"k{n}": _scalar(chance) for n in range(chance.randrange(4))}}
    if kind == "Service":
        port = {"port": _number(chance, 80), "targetPort": chance.choice(["http", 11434])}
        return {**made, "spec": {"selector": dict(LABELS), "ports": [port]}}
    if kind == "Pod":
        return {**made, "spec": _pod(chance)}
    template = {"metadata": {"labels": dict(LABELS)}, "spec": _pod(chance)}
    if kind == "Job":
        template["spec"]["restartPolicy"] = "Never"
        return {**made, "spec": {"backoffLimit": _number(chance, 1), "template": template}}
    more = {"selector": {"matchLabels": dict(LABELS)}, "template": template}
    return {**made, "spec": {"replicas": _number(chance, 2), **more}}


def _pod(chance: random.Random) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "main", "image": "ollama/ollama:0.34.2"}
    if chance.random() < 0.5:
        names = [f"N{n}" for n in range(chance.randrange(1, 4))]
        container["env"] = [{"name": name, "value": _scalar(chance)} for name in names]
    if chance.random() < 0.4:
        container["args"] = [_scalar(chance) for _ in range(chance.randrange(3))]
    if chance.random() < 0.4:
        sizes = [1, 0.5, "500m", Plain("1e0"), Plain("1Gi"), Plain("010"), "2"]
        container["resources"] = {"limits": {"cpu": chance.choice(sizes)}}
    if chance.random() < 0.3:
        container["ports"] = [{"name": "http", "containerPort": _number(chance, 11434)}]
    if chance.random() < 0.1:
        container["immage"] = "x"
    # else a Pod gets a volume for the token, whose name ends in random characters
    spec: dict[str, Any] = {"automountServiceAccountToken": False, "containers": [container]}
    if chance.random() < 0.2:
        spec["nodeSelector"] = {"kubernetes.io/os": "linux", "gpu": _scalar(chance)}
    return spec


def _scalar(chance: random.Random) -> str | Plain:
    if chance.random() < 0.2:
        return Plain(chance.choice(_WORDS))
    return chance.choice(TEXTS)


def _number(chance: random.Random, usual: int) -> int | Plain:
    forms = [str(usual), hex(usual), f"0{usual:o}", f"{usual}.0", f"+{usual}", f"{usual}_0", "~"]
    return Plain(chance.choice(forms)) if chance.random() < 0.3 else usual


def _written(chance: random.Random, value: Any, depth: int = 0) -> str:
    """The text of a value; one that begins a new line has it before itself."""
    pad = "  " * depth
    if isinstance(value, Plain):
        return value.text
    if isinstance(value, str):
        return _text(chance, value, pad)
    if not isinstance(value, dict | list):
        return json.dumps(value)
    if not value or (depth > 2 and chance.random() < 0.3):
        return _flow(chance, value)
    if isinstance(value, dict):
        lines = [f"{key}: {_written(chance, one, depth + 1)}" for key, one in value.items()]
    else:
        lines = [f"- {_written(chance, one, depth + 1)}" for one in value]
    head = f"\n{pad}" if depth else ""
    return head + f"\n{pad}".join(lines)


def _flow(chance: random.Random, value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {_flow(chance, one)}" for key, one in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_flow(chance, one) for one in value)}]"
    return value.text if isinstance(value, Plain) else json.dumps(value, ensure_ascii=False)


def _text(chance: random.Random, text: str, pad: str) -> str:
    forms = [json.dumps(text), json.dumps(text, ensure_ascii=False)]
    if text.isprintable():
        forms.append("'" + text.replace("'", "''") + "'")
    lines = text.split("\n")
    if text.endswith("\n") and lines[0] and all(line.isprintable() for line in lines):
        forms.append("|\n" + "\n".join(f"{pad}{line}" for line in lines[:-1]))
    if text.replace("-", "").isalpha() and text.isascii() and text not in ("yes", "null"):
        forms.append(text)
    return chance.choice(forms)


def _without_plain(value: Any) -> Any:
    if isinstance(value, Plain):
        return value.text
    if isinstance(value, dict):
        return {key: _without_plain(one) for key, one in value.items()}
    return [_without_plain(one) for one in value] if isinstance(value, list) else value
