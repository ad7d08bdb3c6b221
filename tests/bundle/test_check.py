"""A bundle that is damaged: wherever it is, it is found, and only that is named."""

import random
import shutil

import pytest

from labkit.bundle import check, layout, repair, source
from labkit.errors import BundleDamaged, BundleUnreadable, LabError, Unsupported


def flip(file, place: int) -> None:
    with file.open("r+b") as out:
        out.seek(place)
        (old,) = out.read(1)
        out.seek(place)
        out.write(bytes([old ^ 0x10]))


def damages(file) -> list[str]:
    return [one.name for one in check.every_damage(source.opened(str(file)))]


def test_a_whole_bundle_has_no_damage(file):
    assert damages(file) == []


def test_a_bit_in_each_part_names_that_part_and_no_other(file, opened, tmp_path):
    for part in opened.contents.parts:
        copy = tmp_path / "copy.lab"
        shutil.copy(file, copy)
        place = opened.places[part.path]
        flip(copy, place.start + place.size // 2)
        assert damages(copy) == [str(part)]


def test_a_bit_anywhere_is_found(file, opened, tmp_path):
    chosen = random.Random(1)
    size = file.stat().st_size
    made = opened.places[layout.MADE]
    for _ in range(300):
        at = chosen.randrange(size)
        if made.start <= at < made.start + made.size:  # the one time that is in no list
            continue
        copy = tmp_path / "copy.lab"
        shutil.copy(file, copy)
        flip(copy, at)
        try:
            found = damages(copy)
        except BundleDamaged as error:  # in the list itself
            found = [error.happened]
        assert found, f"byte {at} of {size}"


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.01, 0.3, 0.7, 0.999])
def test_a_cut_bundle_says_what_is_missing(file, tmp_path, share):
    data = file.read_bytes()
    copy = tmp_path / "copy.lab"
    copy.write_bytes(data[: int(len(data) * share)])
    try:
        found = list(check.every_damage(source.opened(str(copy))))
    except LabError as error:
        assert isinstance(error, BundleDamaged)
        return
    assert found
    assert any("cut after" in one.why or "end of the file" in one.name for one in found)


def test_a_part_is_compared_before_it_is_used(file, opened):
    part = opened.contents.parts[-3]
    flip(file, opened.places[part.path].start)
    with pytest.raises(BundleDamaged) as caught:
        check.require(opened, part)
    assert caught.value.saw == f"{part}: its SHA-256 is another one"
    assert caught.value.hint.startswith(f"./lab bundle verify {file} --repair FROM")


def test_a_folder_without_a_part_names_it(file, opened, tmp_path):
    folder = tmp_path / "folder"
    shutil.unpack_archive(file, folder, "tar", filter="data")
    assert damages(folder) == []
    part = opened.contents.of("layer")[0]
    (folder / part.path).unlink()
    assert damages(folder) == [str(part)]


def test_a_stick_that_was_pulled_out_is_said_so(file, opened):
    file.unlink()
    with pytest.raises(BundleUnreadable) as caught:
        list(check.every_damage(opened))
    assert "No such file" in caught.value.saw
    assert "the stick" in caught.value.hint


def test_repair_writes_the_damaged_part_alone(file, opened, tmp_path):
    good = tmp_path / "good.lab"
    shutil.copy(file, good)
    part = opened.contents.of("layer")[1]
    flip(file, opened.places[part.path].start + 5)
    found = list(check.every_damage(opened))
    assert repair.repair(opened, found, source.opened(str(good))) == [str(part)]
    assert file.read_bytes() == good.read_bytes()


def test_repair_of_a_folder_brings_a_part_back(file, opened, tmp_path):
    folder = tmp_path / "folder"
    shutil.unpack_archive(file, folder, "tar", filter="data")
    part = opened.contents.of("wheel")[0]
    (folder / part.path).unlink()
    bundle = source.opened(str(folder))
    repair.repair(bundle, list(check.every_damage(bundle)), opened)
    assert damages(folder) == []


def test_another_bundle_repairs_nothing(file, contents, opened, tmp_path):
    from dataclasses import replace

    from labkit.bundle import blobs, save

    for part in contents.parts:  # an older one of fewer parts
        blobs.add(opened.chunks(part), packed=False)
    other = tmp_path / "other.lab"
    save.write(replace(contents, labkit="0.0.9"), other, "2026-11-30T12:00:00Z\n")
    with pytest.raises(Unsupported, match="cannot be repaired"):
        repair.repair(opened, [], source.opened(str(other)))


def test_repair_of_a_cut_file_makes_it_whole(file, opened, tmp_path):
    good = tmp_path / "good.lab"
    shutil.copy(file, good)
    with file.open("r+b") as out:
        out.truncate(file.stat().st_size - 6000)
    found = list(check.every_damage(opened))
    repaired = repair.repair(opened, found, source.opened(str(good)))
    assert repaired[-1] == "the end of the file"
    assert file.read_bytes() == good.read_bytes()


def test_repair_takes_away_what_follows_the_end(file, opened, tmp_path):
    good = tmp_path / "good.lab"
    shutil.copy(file, good)
    with file.open("ab") as out:
        out.write(b"more")
    repair.repair(opened, list(check.every_damage(opened)), source.opened(str(good)))
    assert file.read_bytes() == good.read_bytes()


def test_repair_from_a_copy_that_is_cut_names_that_copy(file, opened, tmp_path):
    bad = tmp_path / "bad.lab"
    shutil.copy(file, bad)
    for one in (file, bad):
        with one.open("r+b") as out:
            out.truncate(file.stat().st_size - 6000)
    with pytest.raises(BundleDamaged, match=r"bad\.lab is damaged") as caught:
        repair.repair(opened, list(check.every_damage(opened)), source.opened(str(bad)))
    assert "cut after" in caught.value.saw
