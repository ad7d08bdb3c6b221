"""The manifests of situations/ made for real, each in a namespace of its own, and named.

Eight at a time, because most of each is waiting. The first line of a file is the name that it
should get, or `nothing` for one that works. `artifacts/situations.txt` has what each got.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from labkit.diagnosis import gathering, report
from labkit.jupyter import executed, namespace
from labkit.kube import refs, session
from labkit.setup.cluster import labs
from labkit.setup.host import speed

FILES = {file.stem: file for file in sorted((Path(__file__).parent / "situations").glob("*.yaml"))}
AT_ONCE = 8
SEEN_S = 120.0  # a load balancer has a minute to come; a crash loop at a busy machine
WORKS_S = 30.0  # one that works gets no name while it starts, and after
LOOK_EVERY_S = 1.5
NOTHING = "nothing"


class Seen(NamedTuple):
    """What a situation got: each set of names, how often; what was seen; after how long."""

    counts: dict[str, int]
    said: str
    seconds: float


def wanted(name: str) -> str:
    return FILES[name].read_text().splitlines()[0].removeprefix("# expected:").strip()


def looked(here: session.Session, name: str) -> Seen:
    """Until the name is there, and twice more: it has to stay. One that works: all the time."""
    begun, counts, said, seconds, left = time.monotonic(), {}, "", 0.0, 3
    is_well = wanted(name) == NOTHING
    limit_s = speed.deadline(WORKS_S if is_well else SEEN_S)
    while left and time.monotonic() - begun < limit_s:
        facts = gathering.gather(here, outside=True)
        found = report.of(facts)
        names = ", ".join(one.id for one in found.found) or NOTHING
        counts[names] = counts.get(names, 0) + 1
        if names == wanted(name) and not is_well:
            said, left = str(found), left - 1
            seconds = seconds or time.monotonic() - begun
        elif is_well:
            ready = [refs.ready(pod) or _ended(pod) for pod in facts.pods]
            said, left = str(found), left - bool(ready and all(ready))
        time.sleep(LOOK_EVERY_S)
    if is_well and left:
        counts["never ready"] = 1
    return Seen(counts, said or str(found), seconds or time.monotonic() - begun)


def _ended(pod: dict) -> bool:
    return pod["status"]["phase"] == "Succeeded"


def made(name: str) -> Seen:
    """Make it, look at it, remove it; one that cannot be made must not hide the others."""
    space = ""
    try:
        space = namespace.make(Path(f"situation-{name[:18]}"))
        words = ("--namespace", space, "apply", "--filename", FILES[name])
        labs.Lab().kubectl(*words, timeout_s=speed.deadline(60))
        config = labs.Lab().kubeconfig_in(space)
        return looked(session.Session(space, "", config), name)
    except Exception as error:
        return Seen({}, f"{type(error).__name__}: {error}", 0.0)
    finally:
        if space:
            namespace.remove(space)


def matrix(seen: dict[str, Seen]) -> str:
    """What was made, the name that it should get, and each that it got with how often."""
    lines = []
    for name, one in seen.items():
        got = "; ".join(f"{names} {count}" for names, count in one.counts.items())
        sign = "ok" if set(one.counts) <= {wanted(name), NOTHING} and one.counts else "NO"
        lines.append(f"{sign:3}{name:32}{wanted(name):26}{one.seconds:6.1f} s  {got or one.said}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def seen(lab) -> Iterator[dict[str, Seen]]:
    # those that take longest first
    names = sorted(FILES, key=lambda name: (name not in ("load-balancer", "empty-dir-full"), name))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(names, pool.map(made, names), strict=True))
    file = executed.folder() / "situations.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(matrix(found))
    yield found


@pytest.mark.parametrize("name", FILES)
def test_a_situation_gets_its_own_name_and_no_other(seen, name):
    one = seen[name]
    assert one.counts.get(wanted(name)), one
    assert set(one.counts) <= {wanted(name), NOTHING}, one


def test_the_confusion_matrix(seen, capsys):
    with capsys.disabled():
        print("\n" + matrix(seen))
    assert len(FILES) >= 30
