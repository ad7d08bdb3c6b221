"""State files: whole or not there, private where they hold keys."""

import errno

import pytest

from labkit.commands import main as cli
from labkit.setup.host import paths

MIB = 2**20


def test_a_state_file_is_replaced_whole_and_leaves_nothing_aside(tmp_path):
    file = tmp_path / "deep" / "route.json"
    paths.write_json(file, {"name": "packages"})
    paths.write_json(file, {"name": "registry"})
    assert paths.read_json(file) == {"name": "registry"}
    assert [f.name for f in file.parent.iterdir()] == ["route.json"]


def test_a_kubeconfig_is_for_its_owner_alone(tmp_path):
    paths.write_text(tmp_path / "kubeconfig", "keys", private=True)
    assert (tmp_path / "kubeconfig").stat().st_mode & 0o777 == 0o600


def test_on_a_full_disk_the_old_file_stays_whole(small_disk):
    file = small_disk / "state.json"
    paths.write_json(file, {"kept": True})
    with pytest.raises(OSError, match="No space left"):
        paths.write_text(file, "x" * 25 * MIB)
    assert paths.read_json(file) == {"kept": True}
    assert [f.name for f in small_disk.iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00"])
def test_a_broken_state_file_is_as_good_as_none(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    assert paths.read_json(tmp_path / "x.json") == {}


@pytest.mark.parametrize(
    ("number", "first", "code"),
    [(errno.ENOSPC, "NotEnoughDisk:", 1), (errno.EACCES, "CommandFailed:", 2)],
)
def test_what_the_system_refuses_is_said_in_three_lines(monkeypatch, capsys, number, first, code):
    def refuse(options):
        raise OSError(number, "refused", "/some/file")

    monkeypatch.setitem(cli.COMMANDS, "images", refuse)
    assert cli.main(["images"]) == code
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(first)
    assert "/some/file" in lines[1]
    assert len(lines) == 3


def test_a_mistake_of_ours_is_three_lines_and_a_log_with_the_traceback(monkeypatch, capsys):
    monkeypatch.setitem(cli.COMMANDS, "images", lambda options: {}["nobody thought of"])
    assert cli.main(["images"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[1] == "saw: KeyError: 'nobody thought of'"
    assert len(lines) == 3
    assert "Traceback" in paths.log_file("unexpected").read_text()
