"""Which lines of requirements.txt hold for which Python, and what the wheels say of themselves."""

import re
import zipfile
from pathlib import Path

import pytest

from labkit.bundle import licences, python_wheels
from labkit.setup.build import catalog
from tests.bundle.made import wheel

REQUIREMENTS = (Path(__file__).parents[2] / "requirements.txt").read_text()


def names(full: str) -> set[str]:
    text = python_wheels.wanted(REQUIREMENTS, full)
    assert ";" not in text
    return set(re.findall(r"^(\S+==\S+)", text, re.MULTILINE))


def test_an_older_patch_version_needs_another_package():
    """Debian 12 has Python 3.11.2."""
    older, newer = names("3.11.0"), names("3.11.99")
    assert older - newer == {"soupsieve==2.10"}
    assert newer - older == {"soupsieve==4.1.3"}


def test_another_python_leaves_out_what_it_has_itself():
    assert {name.partition("==")[0] for name in names("3.11.99") - names("3.12.99")} >= {
        "overrides"
    }


def test_other_systems_packages_are_not_brought():
    assert not {"appnope", "colorama", "pywinpty"} & {n.partition("==")[0] for n in names("3.12.1")}


def test_every_line_keeps_its_hashes():
    blocks = python_wheels.wanted(REQUIREMENTS, "3.13.0").split("\n")
    pins = [line for line in blocks if "==" in line]
    assert len(pins) > 90
    assert all(line.endswith(" \\") for line in pins)


def test_a_wheel_says_its_licence(tmp_path):
    file = tmp_path / "a-1-py3-none-any.whl"
    file.write_bytes(wheel("a"))
    assert licences.of_wheel(file) == "MIT"


def test_a_licence_of_other_letters_is_read(tmp_path):
    file = tmp_path / "a.whl"
    with zipfile.ZipFile(file, "w") as made:
        told = "Metadata-Version: 2.1\nName: a\nVersion: 1\nLicense: Freie Lizenz für alle\n"
        made.writestr("a-1.dist-info/METADATA", told)
    assert licences.of_wheel(file) == "Freie Lizenz für alle"


@pytest.mark.parametrize(
    "image", [*catalog.load().images, catalog.load().node], ids=lambda i: i.name
)
def test_every_image_has_a_licence(image):
    assert licences.of_image(image.name, image.base)


def test_every_tool_has_a_licence():
    assert {tool.name for tool in catalog.load().tools} == set(licences.OF_TOOLS)
