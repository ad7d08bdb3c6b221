"""labkit/setup/build/forecast.py, against builds that ran."""

import pytest

from labkit.setup.build import forecast
from labkit.setup.build.forecast import Forecast
from labkit.setup.host import speed
from labkit.setup.host.jobs import Job, run

KUBE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "coredns")
# part → when it began and ended, in seconds: a build from nothing on two cores, measured as 0.95 of
# the reference machine, with light work beside it
RAN = {
    "base:trixie": (0, 59),
    "base:bookworm": (0, 83),
    "build:cluster": (0, 790),
    "image:lab/ollama-build:latest": (59, 131),
    "image:registry:2.8.2": (83, 98),
    "image:haproxy:2.6.12": (98, 114),
    "image:registry.k8s.io/pause:3.10.2": (114, 125),
    "build:ollama": (131, 671),
    "build:llama-server": (131, 989),
    **{f"image:registry.k8s.io/{name}:v1": (790, 796) for name in KUBE},
    "build:local-path-provisioner": (804, 815),
    "image:registry.k8s.io/kube-proxy:v1": (800, 816),
    "image:rancher/local-path-provisioner:v0": (815, 831),
    "build:addons": (816, 872),
    "image:kindest/node:v1": (831, 921),
    "image:ollama/ollama:0": (989, 994),
}
NEEDS = {
    "image:lab/ollama-build:latest": ("base:trixie",),
    "build:ollama": ("image:lab/ollama-build:latest",),
    "build:llama-server": ("image:lab/ollama-build:latest",),
    "image:ollama/ollama:0": ("base:trixie", "build:ollama", "build:llama-server"),
    "image:registry:2.8.2": ("base:bookworm",),
    "image:haproxy:2.6.12": ("base:bookworm",),
    "image:registry.k8s.io/pause:3.10.2": ("base:bookworm",),
    **{f"image:registry.k8s.io/{name}:v1": ("build:cluster",) for name in KUBE},
    "image:registry.k8s.io/kube-proxy:v1": ("base:bookworm", "build:cluster"),
    "build:local-path-provisioner": ("build:cluster",),
    "image:rancher/local-path-provisioner:v0": ("build:local-path-provisioner",),
    "image:kindest/node:v1": ("base:bookworm", "image:rancher/local-path-provisioner:v0"),
    "build:addons": ("build:local-path-provisioner",),
}
WHOLE_S = 999
# the speed that was measured, and seconds that "tools and images" took: the run above, and three of
# which only the whole is known (their parts are taken as those above, slower or faster)
MACHINES = {
    "measured 0.95": (0.95, WHOLE_S),
    "measured 1.0, light work beside it": (1.0, 1016),
    "measured 1.5": (1.5, 518),
    "measured 0.85, eight compilers begin beside it": (0.85, 2040),
}


def jobs() -> list[Job]:
    """In the order of images.jobs: the longest way first."""
    first = ["base:trixie", "image:lab/ollama-build:latest", "build:ollama", "build:llama-server"]
    names = [*first, *(name for name in RAN if name not in first)]
    return [Job(name, list, NEEDS.get(name, ())) for name in names]


def replayed(machine: float, whole_s: float) -> list[tuple[float, float]]:
    """At each begin and end of a part, and each minute: seconds so far, and the whole by then."""
    now = 0.0
    told = Forecast(jobs(), machine, lambda: now)
    times = whole_s / WHOLE_S
    events = [(begin * times, 1, name) for name, (begin, _) in RAN.items()]
    events += [(end * times, 0, name) for name, (_, end) in RAN.items()]
    events += [(float(second), 2, "") for second in range(60, int(whole_s) - 30, 60)]
    said = [(0.0, told.whole_s)]
    for at, kind, name in sorted(events):
        now = at
        if kind < 2:
            (told.end, told.begin)[kind](name)
        said.append((now, now + told.left_s()))
    return said


@pytest.mark.parametrize("name", MACHINES)
def test_a_forecast_is_never_half_of_what_comes_and_soon_right(name):
    machine, whole_s = MACHINES[name]
    said = replayed(machine, whole_s)
    shares = [(at / whole_s, whole / whole_s) for at, whole in said]
    assert all(0.5 < share < 1.5 for _, share in shares), shares
    late = [share for at, share in shares if at > 0.25]
    assert all(0.8 < share < 1.2 for share in late), shares


def test_the_machine_that_was_measured_is_told_from_the_first_second_on():
    said = [whole for _, whole in replayed(0.95, WHOLE_S)]
    assert all(0.9 * WHOLE_S < whole < 1.1 * WHOLE_S for whole in said), said


def test_a_part_that_is_late_counts_before_it_ends():
    now = 0.0
    told = Forecast([Job("build:cluster", list)], 1.0, lambda: now)
    told.begin("build:cluster")
    assert told.left_s() == 538 / 2
    now = 1000.0
    assert told.left_s() > 20
    told.end("build:cluster")
    assert told.left_s() == 0


def test_up_says_at_its_start_when_the_answer_and_when_all_comes():
    first, later = jobs(), [*jobs(), Job("build:prometheus", list, ("build:addons",))]
    assert forecast.until_up(first, later, 0.95) == (
        "This machine will take about 20 min; the first answer comes after about 18 min."
        " Each part that ends corrects that."
    )
    assert forecast.until_up([Job("image:haproxy:2", list), Job("tool:kind", list)], [], 1.0) == ""


def test_what_is_only_linked_takes_no_time_and_jobs_still_run():
    done: list[str] = []
    work = [Job("base:a", lambda: done.append("a")), Job("tool:b", lambda: done.append("b"))]
    told = Forecast(work, 1.0)
    run(told.timed())
    assert sorted(done) == ["a", "b"] and told.left_s() == 0


def test_a_busy_machine_is_measured_as_it_is_now(monkeypatch):
    monkeypatch.delenv("LAB_SPEED")
    found = speed.Machine(25.0, "it was busy with other work", 2.0, 1.0, None, 0, "")
    monkeypatch.setattr(speed, "known", lambda: found)
    monkeypatch.setattr(speed, "present", lambda: 10.0)
    assert forecast.machine_now() == 0.4
    monkeypatch.setattr(speed, "present", lambda: 0.0)
    assert forecast.machine_now() == speed.SLOWEST
    monkeypatch.setenv("LAB_SPEED", "0.7")
    assert forecast.machine_now() == 0.7
