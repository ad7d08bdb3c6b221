"""Disk, memory and processor, on small real ones."""

import pytest

from labkit.errors import NotEnoughDisk, NotEnoughMemory, Unsupported
from labkit.setup.host import machine

MIB = 2**20


def test_a_disk_with_room_tells_how_much(small_disk):
    assert 15 * MIB < machine.disk(small_disk, 10 * MIB) <= 20 * MIB


def test_a_full_disk_is_said_in_three_lines_before_any_work(small_disk):
    (small_disk / "full").write_bytes(b"x" * 15 * MIB)
    with pytest.raises(NotEnoughDisk) as error:
        machine.disk(small_disk / "cache" / "not" / "there" / "yet", 10 * MIB)
    assert len(str(error.value).splitlines()) == 3
    assert "./lab down --purge" in str(error.value)


def test_too_little_memory_is_said_with_both_figures(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       4194304 kB\nMemAvailable:   1048576 kB\n")
    assert machine.memory(2**29, meminfo) == 2**30
    with pytest.raises(NotEnoughMemory) as error:
        machine.memory(2 * 2**30, meminfo)
    assert "2.0 GiB of memory are needed" in str(error.value)
    assert "saw: 1.0 GiB are available" in str(error.value)


def test_a_system_that_does_not_tell_its_memory_is_trusted(tmp_path):
    assert machine.memory(2**50, tmp_path / "none") is None


def test_a_processor_without_avx2_is_sent_to_the_registry_route(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags\t\t: fpu sse2 fma f16c avx2\n")
    assert "-mavx2" in machine.vector_flags("amd64", cpuinfo)
    cpuinfo.write_text("flags\t\t: fpu sse2\n")
    with pytest.raises(Unsupported) as error:
        machine.vector_flags("amd64", cpuinfo)
    assert "lacks avx2, f16c, fma" in str(error.value)
    assert "--route registry" in str(error.value)


def test_other_processors_get_no_flags_of_this_one(tmp_path):
    assert machine.vector_flags("arm64", tmp_path / "none") == "-O3"


@pytest.mark.parametrize(
    ("nodes", "instances", "watches", "named"),
    [
        (2, 128, 192536, ""),
        (3, 128, 524288, "max_user_instances is 128: 3 nodes"),
        (2, 16, 524288, "max_user_instances is 16"),
        (2, 512, 8192, "max_user_watches is 8192"),
        (9, 512, 524288, ""),
    ],
)
def test_small_inotify_limits_are_told_with_the_line_that_raises_them(
    tmp_path, nodes, instances, watches, named
):
    (tmp_path / "max_user_instances").write_text(f"{instances}\n")
    (tmp_path / "max_user_watches").write_text(f"{watches}\n")
    said = machine.inotify(nodes, tmp_path)
    assert named in said and bool(named) == bool(said)
    if said:
        assert "sudo sysctl fs.inotify.max_user_instances=512" in said


def test_limits_that_are_not_known_are_not_judged(tmp_path):
    assert machine.inotify(9, tmp_path) == ""
