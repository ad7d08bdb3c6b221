"""Real servers and programs that answer a probe as it was recorded, or with one thing changed."""

from __future__ import annotations

import copy
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from labkit.facts import entries, places, runner
from labkit.facts.probe import METHODS
from tests.facts import program
from tests.facts.record import NAME

HERE = Path(__file__).parent
PROGRAMS = ("kubectl", "helm", "ollama", "haproxy")
Reply = dict[str, Any]


def recorded() -> dict[str, list[Reply]]:
    """The replies to each fact's steps: from the real part, or, where none was here, by hand."""
    found: dict[str, list[Reply]] = yaml.safe_load((HERE / "by_hand.yaml").read_text()) or {}
    for file in sorted((HERE / "recorded").glob("*.json")):
        found |= json.loads(file.read_text())
    return found


def otherwise() -> dict[str, dict[str, Any]]:
    """One behaviour changed, for each fact: the path in its replies, and the other value."""
    return yaml.safe_load((HERE / "otherwise.yaml").read_text())


class Ready(places.Places):
    """All parts are there, of one version."""

    asked_version = ""
    _name = NAME

    def why_not(self, fact: entries.Fact) -> str:
        return ""

    def version(self, of: str) -> str:
        return self.asked_version

    def clean_up(self) -> None:
        return


def changed(fact: entries.Fact, replies: list[Reply], changes: dict[str, Any]) -> list[Reply]:
    """The replies with another value at each of these paths; `absent` takes away what is there."""
    found = copy.deepcopy(replies)
    named = {step["as"]: number for number, step in enumerate(fact.steps) if "as" in step}
    for path, value in changes.items():
        first, _, rest = path.partition(".")
        reply = found[named[first]] if first in named else found[-1]
        _put(reply, (rest if first in named else path).split("."), value)
    return found


def _put(reply: Reply, names: list[str], value: Any) -> None:
    if names[0] in ("first", "last"):
        lines = reply.setdefault("lines", [reply.pop("json", {})])
        place: Any = lines[0 if names[0] == "first" else -1]
        names = names[1:]
    else:
        place = reply
        if names[0] == "text":  # it stands in place of what was read out of it
            reply.pop("json", None)
            reply.pop("lines", None)
        if names[0] == "json" and len(names) > 1 and "stdout" in reply:
            reply["json"] = json.loads(reply["stdout"])
    for name in names[:-1]:
        place = place[int(name) if isinstance(place, list) else name]
    last: Any = int(names[-1]) if isinstance(place, list) else names[-1]
    if value == "absent":
        place.pop(last, None)
    else:
        place[last] = value
    if names[0] == "json" and "stdout" in reply:
        reply["stdout"] = json.dumps(reply["json"])


def row(fact: entries.Fact, replies: list[Reply], version: str, folder: Path) -> runner.Row:
    """What the runner says of the fact when the parts answer so."""
    requests, runs = _parted(fact, replies)
    folder.joinpath("replies.json").write_text(json.dumps(runs))
    source = Path(program.__file__).read_text()
    for name in PROGRAMS:
        folder.joinpath(name).write_text(f"#!{sys.executable} -I\n{source}")
        folder.joinpath(name).chmod(0o755)
    with _serving(requests) as url:
        where = Ready(ollama=url, path=f"{folder}:{os.environ['PATH']}", may_change=True)
        object.__setattr__(where, "asked_version", version)
        return runner.row(replace(fact, deadline_s=60), where, 60)


@contextmanager
def _serving(replies: list[Reply]) -> Iterator[str]:
    web = ThreadingHTTPServer(("127.0.0.1", 0), program.handler_of(replies))
    thread = threading.Thread(target=web.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_port}"
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


def _parted(fact: entries.Fact, replies: list[Reply]) -> tuple[list[Reply], list[Reply]]:
    """The replies by who gives them: a server that is there, or a program in each of its runs."""
    requests: list[Reply] = []
    runs: list[Reply] = []
    for step, reply in zip(fact.steps, replies, strict=True):
        is_request = any(method in step for method in METHODS)
        if "start" in step:
            runs.append({"serves": []})
        elif "end" in step:
            runs[-1] |= reply
        elif not is_request:
            runs.append(reply)
        elif runs and "serves" in runs[-1]:
            times = any("_s" in path for seen in fact.seen.values() for path in seen)
            all_of_them = [{"status": status} for status in reply.get("statuses", ())]
            runs[-1]["serves"] += all_of_them or [{**reply, "slow": times}]
        else:
            requests.append(reply)
    return requests, runs
