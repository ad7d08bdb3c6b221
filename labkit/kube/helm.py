"""`lab.helm_upgrade`, `lab.helm_uninstall`: the real helm, and its own records of a release."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shlex
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from labkit.errors import CommandFailed, LabError, NotFound, TimedOut, ToolMissing
from labkit.kube import helm_values
from labkit.kube.results import Output
from labkit.kube.session import current
from labkit.setup.host import speed
from labkit.ui import kubectl_line
from labkit.ui.live import Live, echo

UPGRADE_S, UNINSTALL_S = 180.0, 120.0  # on the reference machine
VERSION_S = 30.0
RELEASE_SECRET = "helm.sh/release.v1"  # the type of the Secrets that hold its revisions
SLACK_S = 30  # helm gives up by itself; this is for one that does not


def helm_upgrade(
    release: str,
    chart: str,
    *,
    repo: str | None = None,
    values: dict[str, object] | None = None,
    wait: bool = True,
    force_conflicts: bool = False,
    timeout_s: float | None = None,
) -> Output:
    """Install a chart as a release, or change the release to it; return what helm printed.

        import os
        lab.helm_upgrade("second", "ollama", repo=os.environ["CHARTS"])

    Equals `helm upgrade --install RELEASE CHART --repo URL --set KEY=VALUE … --wait`, and
    `--values -` where there is more in the values than `--set` can say: lists, dicts, text of any
    kind are what they are in a values file. A dot in a name leads inside: "ollama.models.pull".
    Helm 4 refuses to change a field that another program has set since, such as `kubectl scale`;
    with `force_conflicts` it takes the field back (Helm 3 always does, and has no such flag).
    Raises CommandFailed with helm's own words, TimedOut, ToolMissing.
    """
    current()
    timeout_s = speed.deadline(UPGRADE_S, timeout_s)
    words = ["upgrade", "--install", release, chart]
    words += ["--repo", repo] if repo else []
    chosen = helm_values.given(values or {})
    words += chosen.words
    words += ["--force-conflicts"] if force_conflicts else []
    words += ["--wait", f"--timeout={timeout_s:g}s"] if wait else []
    return Output(ran(words, f"helm upgrade {release}", timeout_s + SLACK_S, chosen.file))


def helm_uninstall(release: str, *, ignore_not_found: bool = False) -> Output:
    """Remove a release with all that its chart created, and wait until it is gone.

        lab.helm_uninstall("second", ignore_not_found=True)

    Equals `helm uninstall RELEASE --wait`; in Helm 4 `--wait=legacy`, because its new way can end
    while a Deployment still exists (4.3.2). Raises NotFound, CommandFailed.
    """
    current()
    words = ["uninstall", release, _until_gone(), "--cascade=foreground"]
    words += ["--ignore-not-found"] if ignore_not_found else []
    return Output(ran(words, f"helm uninstall {release}", speed.deadline(UNINSTALL_S)))


def _until_gone() -> str:
    """The flag of `uninstall` that waits until the last object is gone.

    Helm 4 stops watching when the first object is gone of which it has heard; of the others it may
    not have heard yet.
    """
    version = ""
    with suppress(LabError):  # the uninstall itself reports a helm that does not work
        version = said(["version", "--template={{.Version}}"], "helm version", VERSION_S)
    return "--wait" if version.startswith("v3.") else "--wait=legacy"


def ran(words: list[str], title: str, timeout_s: float, stdin: str = "") -> str:
    """What helm printed; the line and how it ended are shown."""
    line = shlex.join(["helm", *words])
    echo(kubectl_line.with_input(line, stdin) if stdin else line)
    with Live(title) as live:
        live.show(f"{title} …")
        printed = said(words, title, timeout_s, stdin)
        live.append(printed)
        live.done(f"{title} is done")
    return printed


def said(words: list[str], title: str, timeout_s: float, stdin: str = "") -> str:
    """The same, unprinted. Raises CommandFailed, NotFound, TimedOut, ToolMissing."""
    try:
        done = subprocess.run(
            ["helm", *words],
            env=os.environ,  # which lab.start() has pointed at the lab
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError:
        raise ToolMissing("there is no helm", "not on PATH", "./lab up") from None
    except subprocess.TimeoutExpired:
        raise TimedOut(
            f"{title} had not ended after {timeout_s:g} s",
            "helm printed nothing",
            'lab.get("pods"), lab.events()',
        ) from None
    if done.returncode:
        raise _said_no(title, done.stderr.strip())
    return done.stdout


def _said_no(title: str, said: str) -> CommandFailed | NotFound:
    """
    >>> print(_said_no("helm upgrade x", "Error: can't evaluate field pull in type interface {}"))
    CommandFailed: helm upgrade x failed
    saw: Error: can't evaluate field pull in type interface {}
    try: the models are a list inside of ollama.models.pull: values={"ollama.models.pull": [...]}
    """
    saw = _error(said)
    if "in type interface {}" in saw:
        hint = "the models are a list inside of ollama.models.pull:"
        hint += ' values={"ollama.models.pull": [...]}'
    elif "not found" in saw and title.startswith("helm uninstall"):
        return NotFound(f"{title} failed", saw, "helm list")
    elif "conflict occurred" in saw:
        hint = "the quoted program has set that field: give the value that it has,"
        hint += " or take it back with force_conflicts=True (--force-conflicts)"
    elif "timed out" in saw or "deadline exceeded" in saw or "not ready. status:" in saw:
        hint = 'lab.get("pods"), lab.events(): what do its Pods lack?'
    else:
        hint = "fix what the second line names; helm list shows what is there"
    return CommandFailed(f"{title} failed", saw, hint)


def _error(said: str) -> str:
    """The error in one line, without the log before it; Helm 4 breaks it into several.

    >>> _error("level=WARN msg=x\\nError: UPGRADE FAILED: x.yaml:1:2\\n  executing y:\\n    no z")
    'Error: UPGRADE FAILED: x.yaml:1:2 executing y: no z'
    """
    lines = said.splitlines()
    begin = next((place for place, line in enumerate(lines) if line.startswith("Error")), 0)
    return " ".join(line.strip() for line in lines[begin:])


def records(secrets: Iterable[dict[str, Any]], release: str) -> list[dict[str, Any]]:
    """Those Secrets in which Helm keeps the revisions of a release, oldest first."""
    kept = (
        secret
        for secret in secrets
        if secret.get("type") == RELEASE_SECRET and _label(secret, "name") == release
    )
    return sorted(kept, key=lambda secret: int(_label(secret, "version") or 0))


def status(record: dict[str, Any]) -> str:
    """Helm's word for what became of a revision: deployed, failed, pending-install …"""
    return _label(record, "status")


def read(record: dict[str, Any]) -> dict[str, Any]:
    """What Helm wrote into it: the chart, the values, the state; {} where that cannot be read."""
    try:
        packed = base64.b64decode(base64.b64decode(record["data"]["release"]))
        found: dict[str, Any] = json.loads(gzip.decompress(packed))
        return found
    except (KeyError, ValueError, OSError, EOFError):
        return {}


def description(record: dict[str, Any]) -> str:
    """Helm's sentence about a revision: `Install complete`, `Rollback to 1` …"""
    said: str = read(record).get("info", {}).get("description", "")
    return said


def has_changed(records: list[dict[str, Any]]) -> bool:
    """Do the values that a release was given differ between two of its revisions?"""
    given = [one.get("config") or {} for one in map(read, records) if one]
    return any(values != given[0] for values in given)


def list_as_text(record: dict[str, Any]) -> str:
    """A value that a user gave a revision as text that looks like a list: `--set x=[]` does that.

    Its name and its text, `ollama.models.pull=[]`; empty when there is none.
    """
    todo: list[tuple[str, Any]] = [("", read(record).get("config") or {})]
    while todo:
        name, value = todo.pop()
        if isinstance(value, dict):
            todo += [(f"{name}.{key}" if name else key, one) for key, one in value.items()]
        elif isinstance(value, str) and value.startswith("[") and value.endswith("]"):
            return f"{name}={value}"
    return ""


def _label(record: dict[str, Any], name: str) -> str:
    value: str = (record["metadata"].get("labels") or {}).get(name, "")
    return value
