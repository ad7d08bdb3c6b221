"""`lab` and labkit/setup/host/venv.py, run for real on a project with nothing to download."""

import fcntl
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path

import pytest

from labkit.setup.host import venv

REPOSITORY = Path(__file__).parents[3]

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "labkit"
version = "0"
"""

# A build backend of a few lines. While a file `slow` is there, the build does not go on.
BACKEND = """\
import pathlib, time, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    here = pathlib.Path.cwd()
    if (here / "broken").exists():
        raise OSError("no such package in the mirror")
    (here / "building").touch()
    while (here / "slow").exists():
        time.sleep(0.05)
    info = "labkit-0.dist-info"
    with zipfile.ZipFile(pathlib.Path(folder) / "labkit-0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("labkit.pth", str(here))
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        text = "Metadata-Version: 2.1\\nName: labkit\\nVersion: 0\\n"
        text += "Provides-Extra: model\\nProvides-Extra: test\\n"
        wheel.writestr(info + "/METADATA", text)
        wheel.writestr(info + "/RECORD", "")
    return "labkit-0-py3-none-any.whl"
"""

# A test tool is built while it is installed; while a file `slow` is there, it is half there.
TOOL = """\
import pathlib, time, zipfile

PROJECT = pathlib.Path({project!r})

def build_wheel(folder, config_settings=None, metadata_directory=None):
    (PROJECT / "building").touch()
    while (PROJECT / "slow").exists():
        time.sleep(0.05)
    info = "tool-1.dist-info"
    with zipfile.ZipFile(pathlib.Path(folder) / "tool-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tool.py", "")
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: tool\\nVersion: 1\\n")
        wheel.writestr(info + "/RECORD", "")
    return "tool-1-py3-none-any.whl"
"""

MAIN = """\
import os, sys
print("ran", sys.argv[1:], os.environ.get("LAB_VENV_SECONDS", "not made"))
"""


def write_project(folder: Path) -> Path:
    """The real `lab` and venv.py, with a labkit that only says how it was called."""
    (folder / "labkit/setup/host").mkdir(parents=True)
    shutil.copy(REPOSITORY / "lab", folder)
    shutil.copy(REPOSITORY / "labkit/setup/host/venv.py", folder / "labkit/setup/host")
    (folder / "labkit/__init__.py").touch()
    (folder / "labkit/__main__.py").write_text(MAIN)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "backend.py").write_text(BACKEND)
    with zipfile.ZipFile(folder / "learner-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("learner.py", "")
        info = "learner-1.dist-info"
        wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\nName: learner\nVersion: 1\n")
        wheel.writestr(info + "/RECORD", "")
    lock(folder, "requirements.txt", "learner-1-py3-none-any.whl")
    write_tool(folder)
    return folder


def write_tool(folder: Path) -> None:
    """A test tool that says to this folder when it is built."""
    files = {
        "pyproject.toml": PYPROJECT.replace("labkit", "tool"),
        "backend.py": TOOL.format(project=str(folder)),
    }
    with tarfile.open(folder / "tool-1.tar.gz", "w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"tool-1/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    lock(folder, "requirements-test.txt", "tool-1.tar.gz")


def lock(folder: Path, requirements: str, package: str) -> None:
    digest = hashlib.sha256((folder / package).read_bytes()).hexdigest()
    (folder / requirements).write_text(f"./{package} --hash=sha256:{digest}\n")


def has(folder: Path, module: str) -> bool:
    command = [folder / ".venv/bin/python", "-I", "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def lab(folder: Path, *words: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [folder / "lab", *words], capture_output=True, text=True, timeout=60, check=False, **options
    )


def started(folder: Path, *words: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [folder / "lab", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def wait_for(found, timeout_s: float = 40) -> None:
    end = time.monotonic() + timeout_s
    while not found():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def first_call(tmp_path_factory):
    """A project whose environment is made, and what `lab` said; tests leave it as it is."""
    folder = write_project(tmp_path_factory.mktemp("made") / "a project")
    return folder, lab(folder, "status", "two words")


@pytest.fixture
def made(first_call):
    return first_call[0]


@pytest.fixture
def project(made, tmp_path):
    """A copy of `made` that a test may damage."""
    folder = shutil.copytree(made, tmp_path / "a project", symlinks=True)
    (folder / "building").unlink()
    stamp = folder / ".venv/.lab"
    stamp.write_text(stamp.read_text().replace(str(made), str(folder)))
    return folder


def change_pyproject(folder: Path) -> None:
    with (folder / "pyproject.toml").open("a") as file:
        file.write("# another pin\n")


def test_the_first_call_makes_the_environment_and_says_so_before(first_call):
    done = first_call[1]
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("making the Python environment in .venv (about")
    assert "the Python environment is ready (" in done.stderr
    assert done.stdout.startswith("ran ['status', 'two words'] ")
    assert float(done.stdout.split()[-1]) > 0


def test_the_second_call_makes_nothing_and_says_nothing(made):
    done = lab(made, env={**os.environ, "LAB_VENV_SECONDS": "an older run's"})
    assert (done.stdout, done.stderr) == ("ran [] not made\n", "")


def test_lab_works_from_any_folder_and_through_symlinks(made, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far/absolute").symlink_to(made / "lab")
    (tmp_path / "relative").symlink_to("far/absolute")
    done = subprocess.run(
        ["../relative", "x"], cwd=tmp_path / "far", capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("ran ['x'] not made\n", "")
    done = subprocess.run(["sh", "lab", "x"], cwd=made, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("ran ['x'] not made\n", "")


def test_a_module_in_the_callers_folder_is_not_imported(made, tmp_path):
    (tmp_path / "labkit.py").write_text("raise SystemExit('the wrong labkit')")
    assert lab(made, cwd=tmp_path).stdout == "ran [] not made\n"


def test_the_exit_code_of_labkit_is_the_exit_code_of_lab(made):
    (made / "labkit/__main__.py").write_text("raise SystemExit(1)")
    try:
        assert lab(made).returncode == 1
    finally:
        (made / "labkit/__main__.py").write_text(MAIN)


def test_a_changed_pyproject_brings_the_environment_up_to_date(project):
    (project / ".venv/kept").touch()
    change_pyproject(project)
    done = lab(project)
    assert done.stderr.startswith("pyproject.toml has changed: bringing .venv up to date")
    assert done.stdout.startswith("ran [] ")
    assert (project / ".venv/kept").exists()
    assert lab(project).stderr == ""


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda folder: None, ""),
        (lambda folder: shutil.rmtree(folder / ".venv"), "it is not there"),
        (lambda folder: (folder / ".venv/.lab").unlink(), "it was not finished"),
        (lambda folder: (folder / ".venv/.lab").write_text(""), "it was not finished"),
        (lambda folder: (folder / ".venv/bin/python").unlink(), "its Python does not start"),
        (
            lambda folder: (folder / ".venv/.lab").write_text("Python 3.1 in /elsewhere\n"),
            "it was made for Python 3.1 in /elsewhere",
        ),
        (change_pyproject, "pyproject.toml has changed"),
        (
            lambda folder: (folder / "requirements.txt").write_text("a==2\n"),
            "requirements.txt has changed",
        ),
    ],
    ids=["none", "no folder", "no stamp", "empty stamp", "no python", "moved", "project", "lock"],
)
def test_an_environment_is_used_only_when_it_has_no_fault(tmp_path, damage, fault):
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / "requirements.txt").write_text("a==1\n")
    made = venv.Venv(str(tmp_path))
    venv.write_stamp(made.stamp, made.wanted)
    damage(tmp_path)
    assert venv.Venv(str(tmp_path)).fault() == fault


def test_a_folder_whose_name_is_not_utf8_is_as_good_as_any(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to(sys.executable)
    (folder / "pyproject.toml").write_text(PYPROJECT)
    made = venv.Venv(str(folder))
    venv.write_stamp(made.stamp, made.wanted)
    assert venv.Venv(str(folder)).fault() == ""


def test_killed_in_the_middle_it_is_made_anew_once_its_pip_has_ended(project):
    (project / "slow").touch()
    change_pyproject(project)
    first = started(project)
    wait_for((project / "building").exists)
    first.kill()
    first.communicate()
    assert not (project / ".venv/.lab").exists()
    second = started(project)
    assert "another ./lab is making the Python environment" in second.stderr.readline()
    (project / "slow").unlink()
    out, err = second.communicate(timeout=60)
    assert "it was not finished" in err
    assert out.startswith("ran [] ")


def test_ended_by_a_signal_it_ends_its_pip_too(project):
    (project / "slow").touch()
    change_pyproject(project)
    first = started(project)
    wait_for((project / "building").exists)
    first.terminate()
    first.communicate(timeout=20)
    (project / "slow").unlink()
    assert first.returncode == 128 + signal.SIGTERM
    with (project / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_of_two_at_a_time_the_second_waits_and_neither_is_silent(project):
    (project / "slow").touch()
    change_pyproject(project)
    first = started(project)
    wait_for((project / "building").exists)
    second = started(project)
    assert "another ./lab is making the Python environment" in second.stderr.readline()
    said = [first.stderr.readline() for _ in range(2)]
    assert re.match(r" {3,}\d+ s  ", said[1])
    assert re.fullmatch(r" {3,}\d+ s  still waiting\n", second.stderr.readline())
    (project / "slow").unlink()
    assert first.communicate(timeout=60)[0].startswith("ran [] ")
    out, err = second.communicate(timeout=60)
    assert (out, err) == ("ran [] not made\n", "")


def test_when_pip_fails_three_lines_name_the_log(project):
    (project / "broken").touch()
    change_pyproject(project)
    done = lab(project)
    assert done.returncode == 2
    assert done.stdout == ""
    log = project / ".venv.log"
    assert f"the last lines of {log}:" in done.stderr
    happened, saw, hint = done.stderr.splitlines()[-3:]
    assert happened == "BuildFailed: the Python environment was not made (pip ended with 1)"
    assert saw == "saw: OSError: no such package in the mirror"
    assert hint.startswith("try: ./lab again when")
    assert str(log) in hint
    assert not (project / ".venv/.lab").exists()


def test_a_learner_gets_what_is_locked_and_none_of_the_test_tools(made):
    assert has(made, "learner")
    assert not has(made, "tool")
    assert lab(made, "test", "--help").stderr == ""
    assert not has(made, "tool")


def test_a_package_with_another_hash_is_not_installed(project):
    locked = project / "requirements.txt"
    locked.write_text(locked.read_text().replace("sha256:", "sha256:0")[:-2])
    with zipfile.ZipFile(project / "learner-1-py3-none-any.whl", "a") as wheel:
        wheel.writestr("planted.py", "")
    shutil.rmtree(project / ".venv")
    done = lab(project)
    assert done.returncode == 2
    assert "HASHES" in done.stderr.splitlines()[-2]
    assert not has(project, "planted")


def test_the_first_test_adds_its_tools_and_the_second_says_nothing(project):
    write_tool(project)
    (project / ".venv/kept").touch()
    done = lab(project, "test", "quick")
    assert done.stderr.startswith("adding the test tools to .venv (about ")
    assert "the Python environment is ready (" in done.stderr
    assert done.stdout.startswith("ran ['test', 'quick'] ")
    assert has(project, "tool")
    assert (project / ".venv/kept").exists()
    assert lab(project, "test").stderr == ""
    assert lab(project).stderr == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "killed"])
def test_tools_half_there_are_no_learners_trouble_and_the_next_test_mends_them(project, number):
    write_tool(project)
    (project / "slow").touch()
    first = started(project, "test")
    wait_for((project / "building").exists)
    assert first.stderr.readline().startswith("adding the test tools to .venv")
    first.send_signal(number)
    err = first.communicate(timeout=20)[1]
    assert lab(project).stderr == ""
    (project / "slow").unlink()
    if number == signal.SIGINT:
        assert first.returncode == 130
        assert err.endswith("interrupted; the next ./lab test adds its tools again\n")
    # What a wheel half unpacked can leave: pip alone would take it for an installed one.
    packages = next((project / ".venv/lib").glob("python*/site-packages"))
    (packages / "tool-1.dist-info").mkdir()
    text = "Metadata-Version: 2.1\nName: tool\nVersion: 1\n"
    (packages / "tool-1.dist-info/METADATA").write_text(text)
    done = lab(project, "test")
    assert "): they were not finished …" in done.stderr
    assert done.returncode == 0, done.stderr
    assert has(project, "tool")
    assert lab(project, "test").stderr == ""


def test_changed_test_tools_are_brought_up_to_date_by_the_next_test_only(project):
    write_tool(project)
    lab(project, "test")
    with (project / "requirements-test.txt").open("a") as file:
        file.write("# another pin\n")
    assert lab(project).stderr == ""
    assert "): requirements-test.txt has changed …" in lab(project, "test").stderr
    assert lab(project, "test").stderr == ""


def test_a_python_newer_than_the_lock_gets_what_pyproject_names(project):
    (project / "requirements.txt").write_text("nonsense==1\n")
    script = (project / "labkit/setup/host/venv.py").read_text()
    assert "LOCKED_BEFORE = (3, 15)\n" in script
    older = script.replace("LOCKED_BEFORE = (3, 15)", "LOCKED_BEFORE = (3, 11)")
    (project / "labkit/setup/host/venv.py").write_text(older)
    done = lab(project, "test")
    assert done.returncode == 0, done.stderr
    assert "--editable=.[test]" in (project / ".venv.log").read_text()


def test_the_lock_is_for_exactly_the_pythons_that_the_project_names():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    named = [word.rpartition(" ")[2] for word in project["classifiers"] if " :: 3." in word]
    newest = venv.LOCKED_BEFORE[1] - 1
    assert named == [f"3.{minor}" for minor in range(11, newest + 1)]
    assert project["requires-python"] == ">=3.11"


def run_script(project: Path, before: str) -> subprocess.CompletedProcess:
    """venv.py as `lab` runs it, with something about this machine changed before."""
    code = f"import runpy, shutil, sys\n{before}\nrunpy.run_path(sys.argv[1], run_name='__main__')"
    script = project / "labkit/setup/host/venv.py"
    command = [sys.executable, "-I", "-c", code, script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_killed_while_the_old_one_is_removed_it_is_not_taken_for_a_whole_one(project):
    stamp = project / ".venv/.lab"
    stamp.write_text("Python 3.1 in /elsewhere\n")
    done = run_script(project, "shutil.rmtree = lambda folder: sys.exit(77)")
    assert done.returncode == 77
    assert not stamp.exists()


def test_without_the_venv_module_three_lines_name_the_debian_package(tmp_path):
    project = write_project(tmp_path / "a project")
    done = run_script(project, "sys.modules['ensurepip'] = None")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-3:] == [
        "ToolMissing: the Python environment was not made",
        f"saw: {sys.executable} has no module ensurepip",
        "try: apt install python3-venv (Debian, Ubuntu), then ./lab again",
    ]


def test_on_a_full_disk_nothing_is_begun(tmp_path):
    project = write_project(tmp_path / "a project")
    done = run_script(
        project, "shutil.disk_usage = lambda path: shutil._ntuple_diskusage(9, 9, 7000000)"
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "NotEnoughDisk: the Python environment was not made",
        f"saw: 7 MB free in {project}, 1000 MB are needed",
        "try: free some space there, or clone the project on another disk",
    ]
    assert not (project / ".venv").exists()


def commands(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment whose PATH holds what `lab` calls, and these scripts."""
    folder.mkdir()
    for name in ("sh", "readlink", "dirname"):
        (folder / name).symlink_to(shutil.which(name))
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


# The last word is the code; it runs in a Python that takes itself for an old one.
OLD = f"""for code; do :; done
exec "{sys.executable}" -c 'import sys; sys.version_info = (3, 9, 2); exec(sys.argv[1])' "$code\""""


def test_a_python_too_old_is_three_lines(tmp_path):
    project = write_project(tmp_path / "a project")
    done = lab(project, env=commands(tmp_path / "bin", python3=OLD))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Unsupported: the lab needs Python 3.11 or newer",
        "saw: python3 is 3.9.2",
        "try: install Python 3.11 or newer, or name one: LAB_PYTHON=/path/to/python3 ./lab",
    ]


def test_no_python_at_all_is_three_lines(tmp_path):
    project = write_project(tmp_path / "a project")
    done = lab(project, env=commands(tmp_path / "bin"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[1] == "saw: python3 is not there or does not start"
    assert len(done.stderr.splitlines()) == 3


def test_an_environment_whose_python_is_gone_is_made_anew_with_one_that_is_new_enough(
    project, tmp_path
):
    (project / ".venv/bin/python").unlink()
    (project / ".venv/bin/python").symlink_to("/gone/python3.11")
    # Version managers leave names without a Python behind them.
    newer = f'exec "{sys.executable}" "$@"'
    scripts = {"python3": OLD, "python3.13": "exit 127", "python3.12": newer}
    done = lab(project, env=commands(tmp_path / "bin", **scripts))
    assert "its Python does not start" in done.stderr
    assert done.stdout.startswith("ran [] ")
    assert lab(project).stderr == ""


def test_lab_python_names_the_only_python_that_is_tried(made, tmp_path):
    (tmp_path / "old python").write_text(f"#!/bin/sh\n{OLD}\n")
    (tmp_path / "old python").chmod(0o755)
    done = lab(made, env={**os.environ, "LAB_PYTHON": str(tmp_path / "old python")})
    assert done.returncode == 2
    assert done.stderr.splitlines()[1] == f"saw: {tmp_path}/old python is 3.9.2"
    done = lab(made, env={**os.environ, "LAB_PYTHON": sys.executable})
    assert (done.stdout, done.stderr) == ("ran [] not made\n", "")
