"""`./lab up --bundle` makes `.venv` from the bundle alone: for real, where there is no network."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from labkit.bundle import blobs, save, source, wheels
from labkit.bundle.layout import Part
from labkit.errors import BundleDamaged, Unsupported
from tests.bundle.conftest import MADE
from tests.bundle.made import wheel

REPOSITORY = Path(__file__).parents[2]
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
OFFLINE = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]


def has_namespaces() -> bool:
    return os.geteuid() == 0 and not subprocess.run([*OFFLINE, "true"], check=False).returncode


@pytest.fixture
def project(tmp_path) -> Path:
    """The real `lab`, venv.py and bundle reader; one dependency; a labkit that says it runs."""
    folder = tmp_path / "my workshop" / "labkit"
    host = "labkit/setup/host"
    used = (f"{host}/{name}.py" for name in ("venv", "shell", "poll"))
    for name in ("lab", "labkit/errors.py", *used):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, folder / name)
    shutil.copytree(REPOSITORY / "labkit/bundle", folder / "labkit/bundle")
    (folder / "labkit/__init__.py").touch()
    (folder / "labkit/__main__.py").write_text("import sys, a\nprint('ran', sys.argv[1:])\n")
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "labkit"\nversion = "0"\n'
    )
    (folder / "backend.py").write_text(
        "import pathlib\n\n"
        "def build_editable(folder, config_settings=None, metadata_directory=None):\n"
        "    name = 'labkit-0-py3-none-any.whl'\n"
        "    data = (pathlib.Path(__file__).parent / 'own.whl').read_bytes()\n"
        "    pathlib.Path(folder, name).write_bytes(data)\n"
        "    return name\n"
    )
    with zipfile.ZipFile(folder / "own.whl", "w") as own:
        own.writestr("labkit.pth", str(folder))
        own.writestr("labkit-0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        own.writestr(
            "labkit-0.dist-info/METADATA", "Metadata-Version: 2.1\nName: labkit\nVersion: 0\n"
        )
        own.writestr("labkit-0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel("a")).hexdigest()
    (folder / "requirements.txt").write_text(f"a==1 --hash=sha256:{digest}\n")
    return folder


@pytest.fixture
def bundle(contents, project, tmp_path) -> Path:
    """A bundle with that dependency for this Python."""
    own = hashlib.sha256((project / "requirements.txt").read_bytes()).hexdigest()
    target = tmp_path / "own.lab"
    save.write(replace(contents, requirements=own, pythons=(PYTHON,)), target, MADE)
    return target


def lab(project: Path, *words, before: list[str] = OFFLINE) -> subprocess.CompletedProcess:
    env = {**os.environ, "LAB_PYTHON": sys.executable}
    env.pop("PYTHONPATH", None)
    command = [*before, project / "lab", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


@pytest.mark.skipif(not has_namespaces(), reason="a network namespace needs root")
def test_the_environment_comes_from_the_bundle_without_a_network(project, bundle):
    done = lab(project, "up", "--bundle", bundle)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"ran ['up', '--bundle', '{bundle}']\n"
    assert "unpacking the Python packages" in done.stderr
    assert not (project / ".venv.wheels").exists()
    again = lab(project, "up", f"--bundle={bundle}")
    assert (again.stdout, again.stderr) == (f"ran ['up', '--bundle={bundle}']\n", "")


@pytest.mark.skipif(not has_namespaces(), reason="a network namespace needs root")
def test_a_damaged_wheel_is_named_before_pip_sees_it(project, bundle):
    opened = source.opened(str(bundle))
    part = next(part for part in opened.contents.of("wheel") if part.name.startswith("a-"))
    with bundle.open("r+b") as out:
        out.seek(opened.places[part.path].start + 40)
        out.write(b"!")
    done = lab(project, "up", "--bundle", bundle)
    assert done.returncode == 1
    assert "BundleDamaged" in done.stderr
    assert f"saw: {part}: its SHA-256 is another one" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project / ".venv").exists()


def test_a_missing_bundle_is_said_so(project, tmp_path):
    done = lab(project, "up", "--bundle", tmp_path / "none.lab", before=[])
    assert done.returncode == 1
    assert "BundleUnreadable" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_requirements_txt_is_a_clear_no(opened, tmp_path):
    bundle = replace(opened, contents=replace(opened.contents, pythons=(PYTHON,), requirements="0"))
    with pytest.raises(Unsupported, match="another version of labkit") as caught:
        wheels.unpack(bundle, tmp_path / "wheels")
    assert caught.value.hint.endswith(f"tar -xOf {bundle.where} labkit.tar.gz | tar -xz")


def test_another_python_is_a_clear_no(opened, tmp_path):
    bundle = replace(opened, contents=replace(opened.contents, pythons=("3.9",)))
    with pytest.raises(Unsupported, match=f"no packages for Python {PYTHON}") as caught:
        wheels.unpack(bundle, tmp_path / "wheels")
    assert caught.value.saw == "it has those for Python 3.9"


def test_a_wheel_that_is_there_is_not_written_again(opened, contents, tmp_path):
    bundle = replace(opened, contents=replace(opened.contents, pythons=(PYTHON,)))
    folder = tmp_path / "wheels"
    assert wheels.unpack(bundle, folder) == 2
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    (folder / "b-1-py3-none-any.whl").write_bytes(b"half of it")
    wheels.unpack(bundle, folder)
    after = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    changed = [name for name, time in after.items() if before[name] != time]
    assert changed == ["b-1-py3-none-any.whl"]


def test_a_full_disk_is_three_lines(project, bundle):
    """A link to /dev/full stands for a disk that fills while a wheel is written."""
    folder = project / ".venv.wheels"
    folder.mkdir()
    link = 'ln -s /dev/full "$0/.$$-a-1-py3-none-any.whl"; exec "$@"'
    done = lab(project, "up", "--bundle", bundle, before=["sh", "-c", link, folder])
    assert done.returncode == 1
    happened, saw, hint = done.stderr.splitlines()[-3:]
    assert happened == f"NotEnoughDisk: {folder} could not be written"
    assert "No space left" in saw
    assert "it continues from here" in hint


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["up", "--bundle"], ""),
        (["up", "--bundle", "x"], "x"),
        (["up", "--bundle=x y", "--yes"], "x y"),
        (["up"], ""),
    ],
)
def test_the_option_is_read_as_the_command_line_reads_it(words, value):
    assert wheels.option(words, "--bundle") == value


def test_the_reader_needs_the_standard_library_alone():
    """It runs before `.venv` is there."""
    code = "import sys; sys.path.insert(0, sys.argv[1]); import labkit.bundle.wheels"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, REPOSITORY], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_stored_wheel_is_a_part_like_any_other(contents):
    part = contents.of("wheel")[0]
    assert isinstance(part, Part)
    assert part.path == f"blobs/sha256/{part.sha256}"
    assert blobs.has(part.sha256, part.size)


def test_a_wheel_that_comes_damaged_is_not_left_there(file, opened, tmp_path):
    bundle = replace(opened, contents=replace(opened.contents, pythons=(PYTHON,)))
    part = bundle.contents.of("wheel")[1]
    with file.open("r+b") as out:
        out.seek(bundle.places[part.path].start + 40)
        out.write(b"!")
    with pytest.raises(BundleDamaged, match="b-1-py3-none-any"):
        wheels.unpack(bundle, tmp_path / "wheels")
    assert [f.name for f in (tmp_path / "wheels").iterdir()] == ["a-1-py3-none-any.whl"]


def test_two_runs_do_not_write_into_the_same_file(opened, tmp_path, monkeypatch):
    """The second begins while the first writes, and both end with whole wheels."""
    bundle = replace(opened, contents=replace(opened.contents, pythons=(PYTHON,)))
    folder, begun = tmp_path / "wheels", []

    def compared(bundle, part):
        data = b"".join(bundle.chunks(part))
        yield data[:50]
        if not begun:
            begun.append(part)
            with monkeypatch.context() as other:
                other.setattr(wheels.os, "getpid", lambda: 1)
                wheels.unpack(bundle, folder)
        yield data[50:]

    monkeypatch.setattr(wheels.check, "compared", compared)
    assert wheels.unpack(bundle, folder) == 2
    for part in bundle.contents.of("wheel"):
        assert hashlib.sha256((folder / part.name).read_bytes()).hexdigest() == part.sha256
