"""Values against the real helm, manifests against the real kubectl: `./lab test long`.

    .venv/bin/python tests/properties.py --examples 300 --seed 7

Each example is drawn from its number and the seed, which is printed: the same ones come again.
`lab.helm_upgrade`'s words have to give what the same values file gives, and what `lab.apply` reads
the object that `kubectl apply --server-side --dry-run=server` makes, or a refusal by both. Nothing
is changed in the cluster. What differs is shown, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.errors import LabError
from labkit.jupyter import namespace
from labkit.kube import apply, manifests
from labkit.kube.session import Session
from labkit.setup.cluster import environment, labs
from tests.kube import test_helm_values as values
from tests.manifest_samples import sample

# of an object that is not made: what differs from one answer to the next
_OF_THE_MOMENT = ("creationTimestamp", "managedFields", "uid", "resourceVersion")


def values_differ(seed: int, examples: int, folder: Path) -> Iterator[str]:
    """Values that helm reads otherwise from our words than from a values file."""
    chart = values.chart_that_shows_its_values(folder / "chart")
    for number in range(examples):
        chance = random.Random(f"values {seed} {number}")
        given = values.anything_named(chance)
        ours, theirs = values.both_rendered(chart, given)
        if ours != theirs:
            yield f"values {seed} {number}: {given!r}\n  ours {ours!r}\n  helm {theirs!r}"


def manifests_differ(seed: int, examples: int, here: Session, kubectl: str) -> Iterator[str]:
    """Manifests of which `lab.apply` makes another object than kubectl, or only one of them any."""
    for number in range(examples):
        text = sample(random.Random(f"manifests {seed} {number}"))
        ours, theirs = _ours(here, text), _theirs(here, text, kubectl)
        both_refuse = isinstance(ours, str) and isinstance(theirs, str)
        if ours != theirs and not both_refuse:
            yield f"manifests {seed} {number}:\n{text}\n  ours {ours}\n  kubectl {theirs}"


def _ours(here: Session, text: str) -> list[dict[str, Any]] | str:
    """The objects that the API server would make of what `lab.apply` reads; or why it does not."""
    query = {"fieldManager": "kubectl", "fieldValidation": "Strict", "dryRun": "All"}
    found = []
    try:
        for item in manifests.read(text)[1]:
            resource = here.api.kind(item["apiVersion"], item["kind"])
            path = resource.path(here.namespace, item["metadata"]["name"])
            asked = {"query": query, "body": item, "content_type": apply.APPLY}
            found.append(_lasting(here.api.request("PATCH", path, **asked)))
    except LabError as error:
        return str(error)
    return found


def _theirs(here: Session, text: str, kubectl: str) -> list[dict[str, Any]] | str:
    """The same of `kubectl apply --server-side --dry-run=server`."""
    line = [kubectl, "apply", "--server-side", "--dry-run=server", "--output=json"]
    line += [f"--kubeconfig={here.kubeconfig}", f"--namespace={here.namespace}", "--filename=-"]
    done = subprocess.run(line, input=text.encode(), capture_output=True, check=False)
    if done.returncode:
        return done.stderr.decode()
    found = json.loads(done.stdout)
    return [_lasting(one) for one in (found["items"] if found["kind"] == "List" else [found])]


def _lasting(item: dict[str, Any]) -> dict[str, Any]:
    meta = {key: one for key, one in item["metadata"].items() if key not in _OF_THE_MOMENT}
    spec = item.get("spec", {})
    if item["kind"] == "Service":  # an address that is given by chance
        spec = {key: one for key, one in spec.items() if key not in ("clusterIP", "clusterIPs")}
    if item["kind"] == "Job":  # its uid is in the labels of its Pods
        spec = {key: one for key, one in spec.items() if key not in ("selector", "template")}
        spec["pod"] = item["spec"]["template"]["spec"]
    more = {"metadata": {key: one for key, one in meta.items() if key != "labels"}}
    if item["kind"] != "Job":
        more["metadata"] = meta
    return {**item, **more, **({"spec": spec} if spec else {})}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--examples", type=int, default=300, help="of each kind (300)")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.examples} examples of each kind", flush=True)
    variables = environment.variables()
    os.environ["PATH"] = os.pathsep.join([variables["PATH"], os.environ["PATH"]])
    name = namespace.make(Path("properties"))
    try:
        here = Session(name, "", labs.Lab().kubeconfig_in(name))
        with tempfile.TemporaryDirectory() as folder:
            found = [
                *values_differ(options.seed, options.examples, Path(folder)),
                *manifests_differ(options.seed, options.examples, here, "kubectl"),
            ]
    finally:
        namespace.remove(name)
    print("\n".join(found) or "none differs")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
