"""The pins: none of versions.toml, a go.mod or pyproject.toml is missing; ends have a source."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest

from labkit.setup.build import catalog, numbers, pins

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def found() -> list[pins.Pin]:
    return pins.every()


def written(table: dict, at: str = "") -> dict[str, str]:
    """Place → version of all that versions.toml pins, whatever tables it has."""
    told = {}
    for name, value in table.items():
        place = f"{at}{name}"
        if isinstance(value, dict):
            told |= written(value, f"{place}.")
        elif name in ("version", "tag"):
            told[at.removesuffix(".")] = value
        elif name == "tags" and value[0] != "latest":
            told[at.removesuffix(".")] = value[0]
        elif not at:
            told[name] = value
    return told


def test_each_version_of_versions_toml_is_a_pin(found):
    table = tomllib.loads(catalog.versions_file().read_text())
    places = {place: pin.version for pin in found for place in pin.places}
    for place, version in written(table).items():
        assert places[f"versions.toml {place}"] == numbers.of_tag(version), place
    assert len(written(table)) > 20


def test_a_table_that_no_pin_is_made_of_would_be_found():
    assert written({"x": {"one": {"version": "1.0"}}, "y": "2"}) == {"x.one": "1.0", "y": "2"}


def test_each_direct_requirement_of_a_go_mod_is_a_pin(found):
    places = {place for pin in found for place in pin.places}
    files = list((ROOT / "k8s/cluster").glob("*/go.mod"))
    assert files
    for file in files:
        own = re.findall(r"^(?:require |\t)(\S+) v\S+$", file.read_text(), re.MULTILINE)
        assert own
        assert {f"{file.parent.name}/go.mod {module}" for module in own} <= places
    assert any(place.endswith("/go.mod k8s.io/kubernetes") for place in places)  # by its tools


def test_each_direct_python_dependency_is_a_pin(found):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = {text for texts in lists for text in texts if "==" in text}
    assert wanted <= {f"{pin.pypi}=={pin.version}" for pin in found}


@pytest.mark.parametrize(
    ("module", "what"),
    [
        ("sigs.k8s.io/kind", "kind"),  # of which upstream.toml says nothing
        ("go.etcd.io/etcd/server/v3", "etcd"),
        ("helm.sh/helm/v4", "helm"),
    ],
)
def test_a_module_is_known_by_its_path_or_goes_by_its_last_name(
    tmp_path, monkeypatch, module, what
):
    (tmp_path / "go").mkdir()
    (tmp_path / "go/go.mod").write_text(f"module x\n\nrequire {module} v1.2.3\n")
    upstreams = pins.upstreams()
    monkeypatch.setattr(pins, "upstreams", lambda: upstreams)
    monkeypatch.setattr(pins.paths, "k8s", lambda *parts: tmp_path)
    (pin,) = pins._of_go_modules()
    assert (pin.what, pin.version, pin.places) == (what, "1.2.3", (f"go/go.mod {module}",))


def test_a_source_package_that_a_build_takes_is_a_pin():
    row = {"module": "m", "version": "1.0", "sdist": {"name": "c-bin", "version": "7.0.0"}}
    (pin,) = pins._of_sdists({"go": {"engine": row, "other": {"binaries": ["x"]}}})
    assert (pin.pypi, pin.version, pin.places) == (
        "c-bin",
        "7.0.0",
        ("versions.toml go.engine.sdist",),
    )


def test_where_labkit_is_installed_as_a_package_its_own_metadata_is_read(tmp_path, monkeypatch):
    asked = ["httpx==1.2.3", 'ruff==0.1.0; extra == "test"', 'ollama-labkit[model]; extra == "x"']
    monkeypatch.setattr(pins.importlib.metadata, "requires", lambda name: asked)
    texts = [text for _, text in pins._requirements(tmp_path)]
    assert texts == ["httpx==1.2.3", "ruff==0.1.0", "ollama-labkit[model]"]


def test_one_thing_at_one_version_is_one_pin_and_a_second_version_is_a_second(found, monkeypatch):
    keys = [(pin.what, pin.version, bool(pin.pypi)) for pin in found]
    assert len(set(keys)) == len(keys)
    kubernetes = [pin for pin in found if pin.what == "kubernetes" and not pin.pypi]
    assert [pin.version for pin in kubernetes] == [catalog.load().kubernetes]
    assert len(kubernetes[0].places) > 3
    monkeypatch.setenv("LAB_OLLAMA_VERSION", "99.1.2")
    catalog.load.cache_clear()
    try:
        versions = [pin.version for pin in pins.every() if pin.what == "ollama"]
    finally:
        monkeypatch.undo()
        catalog.load.cache_clear()
    assert versions[0] == "99.1.2"
    assert len(versions) == 2


def test_each_pin_has_somebody_to_ask_or_an_end_of_support(found):
    mute = [pin.what for pin in found if not (pin.go or pin.image or pin.pypi or pin.ends)]
    assert mute == []


def test_each_name_of_upstream_toml_is_one_that_is_pinned(found):
    told = {one.name for one in pins.upstreams().values()}
    assert told <= {pin.what for pin in found}


def test_each_end_of_support_is_a_date_whose_source_is_named():
    for one in pins.upstreams().values():
        if one.ends:
            assert one.source.startswith("https://"), one.name
        assert all(type(end) is date for _, end in one.ends)


@pytest.mark.parametrize(
    ("version", "end"),
    [("3.19.0", date(2027, 2, 10)), ("4.0.1", None), ("30.1.0", None)],
)
def test_an_end_counts_for_the_line_that_it_names_and_for_no_other(version, end):
    assert pins.Upstream("helm", ends=(("3", date(2027, 2, 10)),)).end(version) == end


def test_the_narrower_line_wins():
    ends = (("3", date(2027, 1, 1)), ("3.5", date(2026, 1, 1)))
    assert pins.Upstream("x", ends=ends).end("3.5.1") == date(2026, 1, 1)
