"""labkit/setup/host/speed.py: the machine is measured once, and limits on computing follow it."""

import json
import sys

import pytest

from labkit.setup.host import paths, speed


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch):
    monkeypatch.delenv("LAB_SPEED")


@pytest.fixture
def rates(monkeypatch) -> list[float]:
    """GB/s that the next measures find, the last of them for ever; how many were taken is seen."""
    found = [12.5]

    def rate() -> tuple[float, str]:
        return (found.pop(0) if len(found) > 1 else found[0]), ""

    monkeypatch.setattr(speed, "_rate", rate)
    monkeypatch.setattr(speed, "cpus", lambda: 2.0)
    return found


def test_a_real_measure_takes_at_most_three_seconds_of_work_and_is_kept(monkeypatch):
    monkeypatch.setattr(speed, "TIMEOUT_S", 300)  # of a test run beside other work
    found = speed.measure()
    assert found.gb_per_s > 0.1
    assert found.cpus >= 0.01
    assert found.disk_free_bytes > 0
    assert speed.known() == found
    assert speed.MEASURE_S <= 3


def test_what_nobody_has_measured_is_taken_for_the_slowest_class():
    assert speed.relative() == speed.thread() == speed.SLOWEST
    assert speed.deadline(10) == 80
    assert speed.words() == "not measured, taken for 0.12 of the reference machine"


def test_limits_follow_the_measure_within_bounds(rates):
    speed.measure()
    assert speed.deadline(100) == 200
    assert speed.words() == "about 0.5 of the reference machine"
    rates[:] = [1000.0]
    speed.measure()
    assert speed.deadline(100) == 100, "a fast machine gets the reference machine's limit"
    rates[:] = [0.001]
    speed.measure()
    assert speed.deadline(100) == 800, "and a slow one no more than the named bound"


def test_a_limit_that_somebody_names_is_that_limit(rates):
    speed.measure()
    assert speed.deadline(100, 7) == 7


def test_it_is_measured_again_after_a_reboot_and_after_another_quota(rates, monkeypatch):
    rates[:] = [12.5, 25.0, 50.0]
    assert speed.ensure().gb_per_s == 12.5
    assert speed.ensure().gb_per_s == 12.5, "once a boot"
    monkeypatch.setattr(speed, "_boot", lambda: "another")
    assert speed.ensure().gb_per_s == 25.0
    monkeypatch.setattr(speed, "cpus", lambda: 0.5)
    assert speed.ensure().gb_per_s == 50.0
    assert speed.relative() == pytest.approx(0.5)


def test_a_busy_machine_is_taken_for_the_slowest_and_measured_again(monkeypatch):
    answers = [(25.0, "it was busy with other work"), (25.0, "")]
    monkeypatch.setattr(speed, "_rate", lambda: answers.pop(0))
    monkeypatch.setattr(speed, "cpus", lambda: 2.0)
    speed.ensure()
    assert speed.relative() == speed.SLOWEST
    assert speed.thread() == 1.0, "on the processor's clock it is known all the same"
    assert "not measured (it was busy with other work)" in speed.words()
    speed.ensure()
    assert speed.relative() == 1.0


@pytest.mark.parametrize(("clock_per_cpu", "busy"), [(1.02, False), (3.0, True)])
def test_more_time_on_the_clock_than_on_the_processor_is_a_busy_machine(
    monkeypatch, clock_per_cpu, busy
):
    said = json.dumps({"gb_per_s": 5.0, "clock_per_cpu": clock_per_cpu})
    monkeypatch.setattr(speed.shell, "output", lambda *_, **__: said)
    monkeypatch.setattr(speed, "cpus", lambda: 2.0)
    assert speed._rate() == (5.0, "it was busy with other work" if busy else "")


def test_under_a_quota_a_stopped_clock_is_no_busy_machine(monkeypatch):
    said = json.dumps({"gb_per_s": 5.0, "clock_per_cpu": 4.0})
    monkeypatch.setattr(speed.shell, "output", lambda *_, **__: said)
    monkeypatch.setattr(speed, "cpus", lambda: 0.25)
    assert speed._rate() == (5.0, "")


def test_what_is_left_of_each_core_slows_every_thread(rates, monkeypatch):
    rates[:] = [25.0]
    monkeypatch.setenv("LAB_CPU_SHARE", "0.25")
    speed.measure()
    assert speed.relative() == speed.thread() == 0.25
    assert speed.wall_s(1.5) == 6.0


def test_a_measure_that_cannot_be_taken_says_why(monkeypatch):
    monkeypatch.setattr(speed, "_MEASURE", "raise SystemExit('no module named numpy')")
    found = speed.measure()
    assert (found.gb_per_s, found.why) == (None, "no module named numpy")
    assert speed.relative() == speed.thread() == speed.SLOWEST
    assert "not measured (no module named numpy)" in speed.words()


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"gb_per_s": 3}'])
def test_a_state_file_that_cannot_be_read_is_none(text):
    paths.write_text(paths.state("machine.json"), text)
    assert speed.known() is None


def test_a_told_speed_stands_for_a_measure(monkeypatch, rates):
    speed.measure()
    monkeypatch.setenv("LAB_SPEED", "0.25")
    assert speed.deadline(10) == 40
    assert speed.words() == "about 0.25 of the reference machine, by LAB_SPEED"
    monkeypatch.setenv("LAB_SPEED", "quick")
    assert speed.deadline(10) == 20


@pytest.mark.parametrize(
    ("files", "cgroup", "cores"),
    [
        ({"a/cpu.max": "50000 100000"}, "0::/a", 0.5),
        ({"a/cpu.max": "max 100000", "cpu.max": "150000 100000"}, "0::/a", 1.5),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "20000 100000"}, "0::/a/b", 0.2),
        (
            {
                "cpu,cpuacct/x/cpu.cfs_quota_us": "25000",
                "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
            },
            "4:cpu,cpuacct:/x\n3:memory:/y",
            0.25,
        ),
        ({"cpu/x/cpu.cfs_quota_us": "-1", "cpu/x/cpu.cfs_period_us": "100000"}, "1:cpu:/x", None),
        ({"memory/x/cpu.max": "1 100000"}, "3:memory:/x", None),
        ({}, "0::/a", None),
    ],
)
def test_a_quota_is_read_from_either_version_of_cgroups(tmp_path, files, cgroup, cores):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    own = tmp_path / "own"
    own.write_text(cgroup + "\n")
    assert min(speed._quotas(tmp_path, own), default=None) == cores


def test_where_there_are_no_cgroups_there_is_no_quota(tmp_path):
    assert list(speed._quotas(tmp_path, tmp_path / "none")) == []
    assert sys.platform != "linux" or speed.cpus() <= 4096


def test_a_share_or_a_quota_of_another_time_is_not_todays(rates, monkeypatch):
    rates[:] = [25.0]
    monkeypatch.setenv("LAB_CPU_SHARE", "0.25")
    speed.measure()
    monkeypatch.delenv("LAB_CPU_SHARE")  # as after a `./lab test --cpu` that was killed
    assert speed.relative() == speed.thread() == 1.0
    monkeypatch.setattr(speed, "cpus", lambda: 0.5)
    assert speed.words() == "about 0.25 of the reference machine"


def test_what_one_thread_gets_at_this_moment_is_kept_nowhere(monkeypatch):
    said = json.dumps({"gb_per_s": 20.0, "clock_per_cpu": 4.0})
    monkeypatch.setattr(speed.shell, "output", lambda *_, **__: said)
    assert speed.present() == 5.0
    monkeypatch.setattr(speed.shell, "output", lambda *_, **__: "no numpy")
    assert speed.present() == 0.0
    assert speed.known() is None
