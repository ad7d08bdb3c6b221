"""diagnosis/ranking.py: every situation gets its own names and no other; healthy ones get none."""

import collections

import pytest

from labkit.diagnosis import ranking
from labkit.diagnosis.mistake import LOGGED, SAID, SHOWN
from labkit.diagnosis.mistakes import MISTAKES
from tests.diagnosis import (
    situations_ollama,
    situations_pods,
    situations_reach,
    situations_world,
)
from tests.diagnosis.shapes import facts, pod

NONE = "(none)"
WELL = {**situations_reach.HEALTHY, **situations_world.HEALTHY, **situations_ollama.HEALTHY}
HEALTHY = {f"healthy: {name}": ((), given) for name, given in WELL.items()}
ALL = {
    **{f"Pods: {name}": one for name, one in situations_pods.SITUATIONS.items()},
    **{f"reach: {name}": one for name, one in situations_reach.SITUATIONS.items()},
    **{f"world: {name}": one for name, one in situations_world.SITUATIONS.items()},
    **{f"Ollama: {name}": one for name, one in situations_ollama.SITUATIONS.items()},
    **HEALTHY,
}


def wanted(names: str | tuple[str, ...]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def given_names(name: str) -> list[str]:
    return [one.id for one in ranking.weighed(ALL[name][1]).found]


def matrix() -> str:
    """Each name that was to be given, with those that were, and how often."""
    counts: dict[str, collections.Counter] = {}
    for name, (names, _) in ALL.items():
        right = ", ".join(wanted(names)) or NONE
        got = ", ".join(given_names(name)) or NONE
        counts.setdefault(right, collections.Counter())[got] += 1
    lines = []
    for right, got in sorted(counts.items()):
        said = "; ".join(f"{one} {number}" for one, number in got.most_common())
        lines.append(f"{'ok' if set(got) == {right} else 'NO':3} {right:40} {said}")
    return "\n".join(lines)


@pytest.mark.parametrize("name", ALL)
def test_a_situation_gets_its_own_names_and_no_other(name):
    found = ranking.weighed(ALL[name][1]).found
    assert [one.id for one in found] == wanted(ALL[name][0]), found
    for one in found:
        assert one.saw and "\n" not in one.saw and len(one.saw) < 400


def test_the_confusion_matrix_has_no_wrong_name():
    text = matrix()
    assert "NO " not in text, f"\n{text}"
    assert len(ALL) >= 80 and len(HEALTHY) >= 10


def test_every_row_of_the_wider_table_has_a_situation():
    seen = {one for names, _ in ALL.values() for one in wanted(names)}
    assert {row.id for row in ranking.WIDER} <= seen


def test_every_row_has_all_its_words():
    ids = [row.id for row in ranking.ROWS]
    assert len(set(ids)) == len(ids)
    for row in ranking.WIDER:
        assert all((row.symptom, row.cause, row.fix, row.source, row.unless)), row.id
        assert row.look.startswith(("kubectl ", "helm ")) and row.saw == ""
    for row in ranking.ROWS:
        assert set(row.rules_out) <= set(ids) - {row.id}, row.id
        assert row.sure in (SAID, SHOWN, LOGGED)


def test_the_surest_comes_first_and_a_name_that_is_ruled_out_is_told():
    found = ranking.weighed(ALL["Pods: a liveness probe of a path that is not there"][1])
    assert [one.id for one in found.found] == ["liveness-probe-wrong"]
    assert "memory-limit" in found.ruled_out
    both = ranking.weighed(ALL["reach: a full quota of Pods, and a load balancer"][1]).found
    assert [one.sure for one in both] == sorted((one.sure for one in both), reverse=True)


def test_a_log_that_is_told_as_an_error_is_as_sure_as_the_cluster():
    (said,) = ranking.weighed(ALL["reach: no way to ollama.com"][1]).found
    (read,) = ranking.weighed(ALL["reach: no way to ollama.com, of a Job"][1]).found
    assert (said.sure, read.sure) == (SAID, LOGGED)


def test_outside_of_the_workshop_no_model_is_missed():
    empty = facts(pod(), model="", held={"ollama-7cbf9c48bf-8rzzw": []})
    assert ranking.weighed(empty).found == []
    assert [one.id for one in ranking.weighed(facts(pod(), held=empty.held)).found] == [
        "model-not-pulled"
    ]


def test_what_is_true_while_everything_works_is_never_the_cause_of_a_failure():
    _, given = ALL["Ollama: a model that stays for ever"]
    assert ranking.diagnosed(given) is None
    assert [one.id for one in ranking.weighed(given).found] == ["model-stays-loaded"]


def test_what_is_diagnosed_first_is_one_of_the_rows():
    assert ranking.diagnosed(facts()) is None
    assert {row.id for row in MISTAKES} < {row.id for row in ranking.ROWS}
