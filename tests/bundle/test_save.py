"""A bundle is the same bytes twice, small beside its parts, and needs little memory to be made."""

import os
import shutil
import subprocess
import sys
import tarfile

from labkit.bundle import blobs, layout, project, save, source
from tests.bundle.conftest import MADE

MEMORY_MB = 200


def test_the_same_parts_are_the_same_bytes_but_for_the_time(contents, tmp_path):
    first, second = tmp_path / "1.lab", tmp_path / "2.lab"
    save.write(contents, first, MADE)
    save.write(contents, second, "2027-01-02T03:04:05Z\n")
    one, two = first.read_bytes(), second.read_bytes()
    made = source.opened(str(first)).places[layout.MADE]
    differ = [n for n, (a, b) in enumerate(zip(one, two, strict=True)) if a != b]
    assert differ
    assert set(differ) <= set(range(made.start, made.start + made.size))
    assert one[made.start : made.start + made.size].decode() == MADE


def test_packing_is_the_same_bytes_in_another_process(tmp_path, monkeypatch):
    data = tmp_path / "layer"
    data.write_bytes(os.urandom(10_000) * 300)
    code = (
        "import sys; from pathlib import Path; from labkit.bundle import blobs;"
        "print(blobs.add(blobs.chunks(Path(sys.argv[1])), packed=True))"
    )
    made = []
    for seed in "1", "2":
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        words = [sys.executable, "-c", code, data]
        made.append(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        shutil.rmtree(blobs.folder())
    assert made[0] == made[1]
    assert "unpacked=3000000" in made[0]


def test_the_project_is_the_same_bytes_wherever_the_clone_is(tmp_path):
    first = project.packed(project.root())
    clone = tmp_path / "clone"
    for name in project.NAMES:
        place = project.root() / name
        copy = shutil.copytree if place.is_dir() else shutil.copy
        copy(place, clone / name) if clone.mkdir(exist_ok=True) is None else None
    (clone / "labkit/__pycache__").mkdir(exist_ok=True)
    (clone / "labkit/__pycache__/x.pyc").touch()
    (clone / "lab").touch()
    assert project.packed(clone) == first


def test_the_project_has_what_a_lab_starts_from(tmp_path):
    archive = tmp_path / "labkit.tar.gz"
    archive.write_bytes(project.packed(project.root()))
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    for name in ("lab", "labkit/setup/host/venv.py", "k8s/cluster/versions.toml", "notebooks"):
        assert (tmp_path / "labkit" / name).exists()
    assert os.access(tmp_path / "labkit/lab", os.X_OK)
    assert not list((tmp_path / "labkit").rglob("__pycache__"))


def test_a_file_is_no_larger_than_its_parts(contents, tmp_path):
    target = tmp_path / "x.lab"
    save.write(contents, target, MADE)
    members = len(contents.parts) + 4
    # a header, and padding to a block
    assert target.stat().st_size <= contents.size + members * 1024 + 16_384


def test_a_save_that_ends_leaves_the_old_file(contents, tmp_path):
    target = tmp_path / "x.lab"
    target.write_bytes(b"the old one")
    blobs.path(contents.parts[-3].sha256).unlink()
    try:
        save.write(contents, target, MADE)
    except FileNotFoundError:
        pass
    else:
        raise AssertionError("a part was not there")
    assert [file.name for file in tmp_path.glob("*x.lab*")] == ["x.lab"]
    assert target.read_bytes() == b"the old one"


LARGE = """
import sys
from pathlib import Path
from labkit.bundle import images_in, layout, save
from labkit.bundle.layout import Contents

folder = Path(sys.argv[1])
parts = images_in.parts(folder / "large.tar", "large:1", "1", "MIT")
contents = Contents("0", "0", "0", "linux-amd64", "1", "1", ("3.11",), tuple(parts))
save.write(contents, folder / "large.lab", "2026-11-30T12:00:00Z\\n")
# not getrusage: there the peak of the process that started this one counts too
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


def test_saving_a_large_layer_needs_little_memory(tmp_path):
    """More than the limit; a tenth of it cannot be compressed."""
    import hashlib
    import io
    import json

    size, block = 260 * 2**20, os.urandom(2**18) + bytes(9 * 2**18)
    layer = tmp_path / "layer.tar"
    total = hashlib.sha256()
    with layer.open("wb") as out:
        for _ in range(size // len(block)):
            out.write(block)
            total.update(block)
    config = json.dumps({"rootfs": {"diff_ids": [f"sha256:{total.hexdigest()}"]}}).encode()
    told = json.dumps([{"Config": "c.json", "RepoTags": [], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(tmp_path / "large.tar", "w") as tar:
        tar.add(layer, "layer.tar")
        for name, data in (("c.json", config), ("manifest.json", told)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    layer.unlink()
    words = [sys.executable, "-P", "-c", LARGE, tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) <= MEMORY_MB
    assert (tmp_path / "large.lab").stat().st_size > 26 * 2**20
