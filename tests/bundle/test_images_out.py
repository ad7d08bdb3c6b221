"""An image goes into a bundle, and comes out as the same image: what `docker load` would read."""

import gzip
import hashlib
import io
import json
import tarfile
import threading

import pytest

from labkit.bundle import blobs, images_in, images_out
from labkit.errors import BuildFailed, BundleDamaged, CommandFailed, NotEnoughDisk, TimedOut
from labkit.setup.host import shell
from tests.bundle.made import BASE, docker_archive, tarred


def read(part):
    return blobs.chunks(blobs.path(part.sha256))


def loaded(parts, tags) -> tuple[dict, dict[str, bytes]]:
    """What is in the archive that comes out: its one image, and its files."""
    manifest = b"".join(read(parts[0]))
    every = {part.sha256: part for part in parts}
    stream = images_out.archive(images_out.needed(manifest, every), tags, read)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    (told,) = json.loads(files["manifest.json"])
    return told, files


def test_the_same_image_comes_out_as_went_in(tmp_path):
    layers = [BASE, tarred({"app": b"a" * 99_999})]
    archive, image_id = docker_archive(tmp_path, "haproxy:2.6.12", layers)
    parts = images_in.parts(archive, "haproxy:2.6.12", "2.6.12", "MIT")
    assert images_out.config_of(b"".join(read(parts[0]))) == image_id
    told, files = loaded(parts, ["haproxy:2.6.12"])
    assert told["RepoTags"] == ["haproxy:2.6.12"]
    # an image's id is the hash of its config, which names the hash of each layer
    assert f"sha256:{hashlib.sha256(files[told['Config']]).hexdigest()}" == image_id
    assert [gzip.decompress(files[name]) for name in told["Layers"]] == layers


def test_a_layer_that_an_image_has_twice_is_sent_once(tmp_path):
    archive, _ = docker_archive(tmp_path, "x:1", [BASE, BASE])
    told, files = loaded(images_in.parts(archive, "x:1", "1", "MIT"), ["x:1"])
    assert len(told["Layers"]) == 2
    assert len(files) == 3


def test_a_layer_is_packed_once_for_all_images(tmp_path, monkeypatch):
    first, _ = docker_archive(tmp_path, "x:1", [BASE, tarred({"x": b"x"})])
    second, _ = docker_archive(tmp_path, "y:1", [BASE, tarred({"y": b"y"})])
    packed = []
    add = blobs.add
    monkeypatch.setattr(
        blobs,
        "add",
        lambda chunks, packed_=packed, *, packed: (
            packed_.append(packed) or add(chunks, packed=packed)
        ),
    )
    images_in.parts(first, "x:1", "1", "MIT")
    images_in.parts(second, "y:1", "1", "MIT")
    assert packed.count(True) == 3


def test_a_layer_that_is_not_the_images_is_not_taken(tmp_path):
    archive, _ = docker_archive(tmp_path, "x:1", [BASE])
    data = archive.read_bytes().replace(b"ID=debian", b"ID=fedora")
    archive.write_bytes(data)
    with pytest.raises(CommandFailed, match="another layer"):
        images_in.parts(archive, "x:1", "1", "MIT")


def test_a_bundle_without_a_layer_says_which(tmp_path):
    archive, _ = docker_archive(tmp_path, "x:1", [BASE])
    manifest, config, layer = images_in.parts(archive, "x:1", "1", "MIT")
    with pytest.raises(BundleDamaged) as caught:
        images_out.needed(b"".join(read(manifest)), {config.sha256: config})
    assert caught.value.saw == f"no blob {layer.sha256}"


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A `docker` that keeps what it is given, and ends as told."""

    def make(code: int = 0, says: str = "", reads: str = "cat > $HERE/loaded") -> None:
        program = tmp_path / "bin/docker"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\nHERE={tmp_path}\n{reads}\necho '{says}' >&2\nexit {code}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return make


def test_docker_gets_every_byte(docker, tmp_path):
    docker()
    images_out.load(iter([b"one ", b"two"]), tmp_path / "log")
    assert (tmp_path / "loaded").read_bytes() == b"one two"


def test_an_engine_that_says_no_is_quoted(docker, tmp_path):
    docker(1, "invalid tar header", reads="")
    with pytest.raises(BuildFailed) as caught:
        images_out.load(iter([b"x" * 2**20] * 9), tmp_path / "log")
    assert caught.value.saw == "invalid tar header"


def test_an_engine_without_space_is_not_enough_disk(docker, tmp_path):
    docker(1, "write /var/lib/docker/tmp/x: no space left on device")
    with pytest.raises(NotEnoughDisk):
        images_out.load(iter([b"x"]), tmp_path / "log")


def test_docker_never_sees_the_end_of_an_archive_that_breaks(docker, tmp_path):
    """Else it would load what came."""
    docker(reads="cat > $HERE/loaded && touch $HERE/ended")

    def broken():
        yield b"half"
        raise BundleDamaged("a part is damaged", "layer x", "y")

    with pytest.raises(BundleDamaged):
        images_out.load(broken(), tmp_path / "log")
    assert not (tmp_path / "ended").exists()


def test_an_engine_that_does_not_end_is_timed_out(docker, tmp_path, monkeypatch):
    docker(reads="exec sleep 60")
    monkeypatch.setattr(images_out.speed, "deadline", lambda seconds: 0.3)
    with pytest.raises(TimedOut, match="docker load did not end within"):
        images_out.load(iter([b"x"]), tmp_path / "log")


def test_ctrl_c_in_another_thread_ends_it(docker, tmp_path):
    docker(reads="exec sleep 60")

    def stopped():
        yield b"x"
        shell.end_all()

    try:
        with pytest.raises(CommandFailed, match="not started"):
            images_out.load(stopped(), tmp_path / "log")
    finally:
        shell.begin()


@pytest.mark.parametrize("members", [1, 2])
def test_a_layer_that_the_engine_keeps_compressed_is_the_same_layer(tmp_path, members):
    """Docker with the containerd image store; some tools make gzip of several members."""
    archive, _ = docker_archive(tmp_path, "x:1", [BASE])
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    half = len(BASE) // 2 if members == 2 else len(BASE)
    files["0abc/layer.tar"] = gzip.compress(BASE[:half]) + gzip.compress(BASE[half:])
    archive.write_bytes(tarred(files))
    parts = images_in.parts(archive, "x:1", "1", "MIT")
    told, out = loaded(parts, ["x:1"])
    assert [gzip.decompress(out[name]) for name in told["Layers"]] == [BASE]


@pytest.mark.parametrize(("cut", "why"), [(-30, "end"), (2, "end")])
def test_a_compressed_layer_that_is_cut_is_three_lines(tmp_path, cut, why):
    archive, _ = docker_archive(tmp_path, "x:1", [BASE])
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    files["0abc/layer.tar"] = gzip.compress(BASE)[:cut]
    archive.write_bytes(tarred(files))
    with pytest.raises(CommandFailed, match="cannot be unpacked") as caught:
        images_in.parts(archive, "x:1", "1", "MIT")
    assert why in caught.value.saw


@pytest.mark.parametrize("named", [True, False])
def test_a_layer_that_is_left_out_is_three_lines(tmp_path, named):
    archive, _ = docker_archive(tmp_path, "x:1", [BASE, tarred({"x": b"x"})])
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    del files["1abc/layer.tar"]
    if not named:
        (told,) = json.loads(files["manifest.json"])
        told["Layers"].pop()
        files["manifest.json"] = json.dumps([told]).encode()
    archive.write_bytes(tarred(files))
    with pytest.raises(CommandFailed, match="left out a layer of x:1") as caught:
        images_in.parts(archive, "x:1", "1", "MIT")
    assert ("1abc/layer.tar" if named else "1 of 2 layers") in caught.value.saw
    assert caught.value.hint.startswith("docker image rm x:1")


def test_an_archive_without_a_manifest_is_three_lines(tmp_path):
    archive = tmp_path / "x.tar"
    archive.write_bytes(tarred({"index.json": b"{}"}))
    with pytest.raises(CommandFailed, match="no archive of an image"):
        images_in.parts(archive, "x:1", "1", "MIT")


def test_an_engine_that_stops_reading_is_timed_out(docker, tmp_path, monkeypatch):
    docker(reads="exec sleep 60")
    monkeypatch.setattr(images_out.speed, "deadline", lambda seconds: 0.3)
    with pytest.raises(TimedOut, match="docker load read nothing for"):
        images_out.load(iter([b"x" * 2**20]), tmp_path / "log")


def test_ctrl_c_ends_it_while_the_engine_does_not_read(docker, tmp_path):
    docker(reads="exec sleep 60")
    stop = threading.Timer(0.5, shell.end_all)
    stop.start()
    try:
        with pytest.raises(CommandFailed, match="not started"):
            images_out.load(iter([b"x" * 2**20]), tmp_path / "log")
    finally:
        stop.join()
        shell.begin()
