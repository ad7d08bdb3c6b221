"""`./lab bundle`: what its words print, and with which exit code they end."""

import json
import shutil

import pytest

from labkit.bundle import save, source
from labkit.commands import bundle, main
from labkit.errors import NotUp, Unsupported
from tests.bundle.conftest import contents, file, opened  # noqa: F401 - fixtures


def test_a_whole_bundle_is_said_to_be_whole(file, capsys):  # noqa: F811
    assert main.main(["bundle", "verify", str(file)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{file} is whole: ")
    assert said.endswith("saved 2026-11-30T12:00:00Z\n")


def damage(file, part) -> None:  # noqa: F811
    place = source.opened(str(file)).places[part.path]
    with file.open("r+b") as out:
        out.seek(place.start)
        out.write(b"!!")


def test_a_damaged_one_is_a_clear_no_that_names_each_part(file, opened, capsys):  # noqa: F811
    parts = opened.contents.of("layer")[:2]
    for part in parts:
        damage(file, part)
    assert main.main(["bundle", "verify", str(file)]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [f"damaged: {p}: its SHA-256 is another one" for p in parts]
    assert "BundleDamaged" in told.err
    assert "Traceback" not in told.err


def test_verify_can_repair_from_another_copy(file, opened, tmp_path, capsys):  # noqa: F811
    good = tmp_path / "good.lab"
    shutil.copy(file, good)
    part = opened.contents.of("tool")[0]
    damage(file, part)
    assert main.main(["bundle", "verify", str(file), "--repair", str(good)]) == 0
    told = capsys.readouterr()
    assert told.err == "repaired: tool kind\n"
    assert "is whole" in told.out


def test_verify_as_json(file, opened, capsys):  # noqa: F811
    damage(file, opened.contents.of("tool")[0])
    assert main.main(["bundle", "verify", str(file), "-o", "json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "whole": False,
        "damaged": ["tool kind: its SHA-256 is another one"],
        "made": "2026-11-30T12:00:00Z",
    }


def test_list_has_every_part_with_its_licence(file, opened, capsys):  # noqa: F811
    assert main.main(["bundle", "list", str(file)]) == 0
    said = capsys.readouterr().out
    for part in opened.contents.parts:
        assert f"{part.sha256[:12]}  {part.kind:8} {part.name}  [{part.licence}]" in said
    assert "packages for Python 3.11, 3.12" in said


def test_list_as_json_is_the_bundles_own_list(file, opened, capsys):  # noqa: F811
    assert main.main(["bundle", "list", str(file), "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["parts"]) == len(opened.contents.parts)
    assert told["made"] == "2026-11-30T12:00:00Z"


def test_a_file_that_is_not_a_bundle_is_a_clear_no(tmp_path, capsys):
    file = tmp_path / "x.zip"  # noqa: F811
    file.write_bytes(b"PK\x03\x04" + bytes(2000))
    assert main.main(["bundle", "verify", str(file)]) == 1
    assert f"{file} is not a bundle, or its beginning is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["save", "."], ["save", "http://x/y"]])
def test_save_wants_a_file(words, capsys):
    assert main.main(["bundle", *words]) == 2
    assert "a bundle is saved to a file" in capsys.readouterr().err


def test_save_wants_a_python_that_the_lab_runs_on(tmp_path, capsys):
    assert main.main(["bundle", "save", str(tmp_path / "x.lab"), "--python", "3.9"]) == 2
    assert "the lab does not run on Python 3.9" in capsys.readouterr().err


def test_save_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(save.docker, "version", lambda: "20.10")
    monkeypatch.setattr(save.docker, "inspect", lambda kind, *names: {})
    assert main.main(["bundle", "save", str(tmp_path / "x.lab")]) == NotUp.exit_code
    said = capsys.readouterr().err
    assert "missing: ollama/ollama:0.34.2" in said
    assert "kind, kubectl, helm, hey" in said


def test_save_prints_the_ratio_and_how_to_begin(contents, tmp_path, monkeypatch, capsys):  # noqa: F811
    def small(target, reporter, pythons):
        assert pythons == ("3.11", "3.12")
        save.write(contents, target, "2026-11-30T12:00:00Z\n")
        return contents

    monkeypatch.setattr(bundle.save, "save", small)
    target = tmp_path / "x.lab"
    words = ["bundle", "save", str(target), "--python", "3.12", "--python", "3.11"]
    assert main.main(words) == 0
    said = capsys.readouterr().out
    ratio = target.stat().st_size / contents.size
    assert f"  {ratio:.3f} × the " in said
    assert "./lab up --bundle ../x.lab" in said


def test_up_with_a_bundle_and_a_route_is_a_clear_no(file, capsys):  # noqa: F811
    assert main.main(["up", "--bundle", str(file), "--route", "registry"]) == Unsupported.exit_code
    assert "--context, --route or --model was given too" in capsys.readouterr().err


def test_serve_wants_an_address(file, capsys):  # noqa: F811
    assert main.main(["bundle", "serve", str(file)]) == Unsupported.exit_code
    assert "--address is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--port", "0", "'0' is not between 1 and 65535"),
        ("--port", "65536", "'65536' is not a port"),
        ("--at-once", "0", "'0' is not a number from 1 on"),
        ("--at-once", "-3", "'-3' is not a number from 1 on"),
    ],
)
def test_serve_wants_numbers_that_can_be(option, value, said, capsys):
    words = ["bundle", "serve", "x.lab", "--address", "127.0.0.1", f"{option}={value}"]
    assert main.main(words) == Unsupported.exit_code
    assert said in capsys.readouterr().err
