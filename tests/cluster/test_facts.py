"""`./lab facts` on the running lab: its own versions do what was seen of them."""

import json
import time

from labkit.facts import entries, runner
from labkit.setup.host import speed


def verdicts(done) -> dict[str, tuple[str, str]]:
    rows = json.loads(done.stdout)
    return {row["id"]: (row["verdict"], row["saw"]) for row in rows}


def different(found: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    return {name: row for name, row in found.items() if row[0] == runner.DIFFERS}


def test_all_that_can_be_asked_is_as_expected_and_nothing_is_left(lab, shell):
    done = lab("facts", "-o", "json", "--may-change", timeout_s=900)
    found = verdicts(done)
    assert done.returncode == 0, different(found)
    needs_own = {"server"}  # the lab has Ollama's program in its image only
    cannot = {
        fact.id: found[fact.id]
        for fact in entries.every()
        if fact.steps
        and not needs_own.intersection(fact.needs)
        and found[fact.id][0] != runner.AS_EXPECTED
    }
    assert cannot == {}
    deadline = time.monotonic() + speed.deadline(60)  # Pods take their time to end
    while "labkit-facts" in (left := shell("kubectl get all,hpa,configmap --output name").stdout):
        assert time.monotonic() < deadline, left
        time.sleep(0.5)
    assert "labkit-facts" not in shell("ollama list").stdout
