"""The bundle's list and the places that follow from it."""

import hashlib
import json
import subprocess
import tarfile
from dataclasses import replace

import pytest

from labkit.bundle import layout
from labkit.errors import BundleDamaged, Unsupported

MADE = b"2026-11-30T12:00:00Z\n"


def told(contents, **changes) -> tuple[bytes, bytes, bytes, str]:
    text = layout.listed(contents)
    if changes:
        text = json.dumps({**json.loads(text), **changes}).encode()
    return text, layout.digest_line(text), MADE, "a.lab"


def test_the_list_reads_back_as_it_was(contents):
    assert layout.read(*told(contents)) == contents


def test_a_file_is_a_tar_whose_members_are_where_the_list_says(file, opened):
    data = file.read_bytes()
    with tarfile.open(file) as tar:
        assert [(m.name, m.offset_data, m.size) for m in tar] == [
            (place.path, place.start, place.size) for place in opened.places.values()
        ]
    for part in opened.contents.parts:
        place = opened.places[part.path]
        stored = data[place.start : place.start + place.size]
        assert hashlib.sha256(stored).hexdigest() == part.sha256


def test_tar_and_sha256sum_can_check_the_list_without_labkit(file, tmp_path):
    subprocess.run(["tar", "-xf", file, "-C", tmp_path], check=True)
    words = ["sha256sum", "--check", "--quiet", layout.DIGEST]
    subprocess.run(words, cwd=tmp_path, check=True)


def test_it_is_an_oci_image_layout(file, tmp_path):
    with tarfile.open(file) as tar:
        tar.extractall(tmp_path, filter="data")
    assert json.loads((tmp_path / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((tmp_path / "index.json").read_text())
    names = [row["annotations"]["org.opencontainers.image.ref.name"] for row in index["manifests"]]
    assert names == ["haproxy:2.6.12", "registry:2.8.2"]
    for row in index["manifests"]:
        blob = tmp_path / "blobs" / row["digest"].replace(":", "/")
        manifest = json.loads(blob.read_text())
        for one in (manifest["config"], *manifest["layers"]):
            data = (tmp_path / "blobs" / one["digest"].replace(":", "/")).read_bytes()
            assert f"sha256:{hashlib.sha256(data).hexdigest()}" == one["digest"]
            assert len(data) == one["size"]


def test_a_layer_of_two_images_is_stored_once(contents):
    layers = [part.name for part in contents.of("layer")]
    assert layers == ["haproxy:2.6.12#1", "haproxy:2.6.12#2", "registry:2.8.2#2"]


def test_a_changed_list_is_damaged(contents):
    text, line, made, where = told(contents)
    with pytest.raises(BundleDamaged, match="SHA-256"):
        layout.read(text.replace(b"wheel", b"Wheel"), line, made, where)


def test_another_format_is_a_clear_no(contents):
    with pytest.raises(Unsupported, match="another format") as caught:
        layout.read(*told(contents, format=2))
    assert caught.value.saw == "format 2; this labkit reads format 1"


@pytest.mark.parametrize(
    "change",
    [
        {"at": "../../etc/passwd"},
        {"name": "../x.whl", "kind": "wheel"},
        {"name": "/bin/sh", "kind": "tool"},
        {"name": "..", "kind": "tool"},
        {"name": ".", "kind": "wheel"},
        {"sha256": "../../x"},
        {"size": -1},
        {"size": 8**11},
    ],
)
def test_a_part_of_another_place_is_not_read(contents, change):
    parts = (replace(contents.parts[1], **change), *contents.parts[2:])
    with pytest.raises(BundleDamaged, match="damaged"):
        layout.read(*told(replace(contents, parts=parts)))


@pytest.mark.parametrize("first", [b"", b"PK\x03\x04", bytes(512), b"x" * 512])
def test_what_does_not_begin_with_the_list_is_not_a_bundle(first):
    assert layout.list_size(first) == 0


def test_a_list_that_would_fill_the_memory_is_not_read():
    assert layout.list_size(layout.header(layout.LIST, 10**9)) == 0


@pytest.mark.parametrize("size", [8**11, 2**60, -1])
def test_a_first_member_with_a_size_out_of_range_is_not_a_bundle(size):
    first = tarfile.TarInfo(layout.LIST)
    first.size = size
    assert layout.list_size(first.tobuf(tarfile.GNU_FORMAT)) == 0
