"""labkit/learner/passed.py: what was passed stays, whoever writes beside it or is killed."""

import datetime
import json
import os
import signal
import subprocess
import sys

import pytest

from labkit.learner import passed, places

HERE = ("", "lab")
MANY = """if True:
    import sys
    from labkit.learner import passed
    for number in range(200):
        passed.keep(f"{sys.argv[1]}/{number}", "", "lab")
"""


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.setenv(places.WORK, str(tmp_path))
    return tmp_path


def test_the_first_pass_is_kept_with_its_time(work):
    before = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    assert passed.keep("00-start/run", *HERE)
    (at,) = passed.kept(*HERE).values()
    assert before <= at <= datetime.datetime.now(datetime.UTC)
    text = (work / passed.RECORD).read_text()
    assert passed.keep("00-start/run", *HERE)
    assert (work / passed.RECORD).read_text() == text


def test_each_namespace_and_each_cluster_has_its_own():
    passed.keep("00-start/run", "", "lab-a")
    passed.keep("00-start/pull", "cloud", "lab-a")
    assert list(passed.kept("", "lab-a")) == ["00-start/run"]
    assert list(passed.kept("cloud", "lab-a")) == ["00-start/pull"]
    assert passed.kept("", "lab-b") == {}


def test_two_kernels_at_once_lose_no_line(work):
    words = [sys.executable, "-P", "-c", MANY]
    running = [subprocess.Popen([*words, name]) for name in "ab"]
    assert [one.wait(timeout=60) for one in running] == [0, 0]
    found = passed.kept(*HERE)
    assert len(found) == 400
    for line in filter(None, (work / passed.RECORD).read_text().splitlines()):
        json.loads(line)


def test_a_kernel_that_is_killed_while_it_writes_leaves_whole_lines(work):
    process = subprocess.Popen([sys.executable, "-P", "-c", MANY, "a"])
    while not (work / passed.RECORD).exists():
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = len(passed.kept(*HERE))
    assert kept
    passed.keep("b/0", *HERE)
    assert len(passed.kept(*HERE)) == kept + 1


@pytest.mark.parametrize(
    "broken",
    [
        '{"step": "00-start/run", "at": "2026-1',
        "[]",
        "\x00\xff",
        '{"step": "00-start/run", "at": "09:45", "context": "", "namespace": "lab"}',
        '{"step": "x", "at": "2026-11-30T09:45:00", "context": "", "namespace": "lab"}',
    ],
)
def test_a_line_that_is_not_whole_is_left_out_and_hides_no_other(work, broken):
    (work / passed.RECORD).write_text(broken)
    assert passed.kept(*HERE) == {}
    assert passed.keep("00-start/pull", *HERE)
    assert list(passed.kept(*HERE)) == ["00-start/pull"]


def test_without_a_learners_folder_nothing_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv(places.WORK, str(tmp_path / "none"))
    assert passed.keep("00-start/run", *HERE)
    assert passed.kept(*HERE) == {}
    assert not (tmp_path / "none").exists()


def test_a_file_that_cannot_be_written_is_told_and_raises_nothing(work):
    (work / passed.RECORD).mkdir()
    assert not passed.keep("00-start/run", *HERE)
    assert passed.kept(*HERE) == {}


def test_a_full_disk_is_told(small_disk, monkeypatch):
    monkeypatch.setenv(places.WORK, str(small_disk))
    with (small_disk / "full").open("wb") as file:
        try:
            while True:
                file.write(bytes(1 << 16))
                file.flush()
        except OSError:
            file.raw.close()
    assert os.statvfs(small_disk).f_bavail == 0
    assert not passed.keep("00-start/run", *HERE)
    assert passed.kept(*HERE) == {}
