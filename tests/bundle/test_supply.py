"""What `up` takes from a bundle: only what is missing, and only of one that fits."""

import json
import subprocess
from dataclasses import replace

import pytest

from labkit.bundle import blobs, images_out, layout, save, supply
from labkit.errors import BundleDamaged, BundleUnreadable, EngineMissing, Unsupported
from labkit.setup.build import catalog, images, tools
from labkit.setup.build.route import BUNDLE
from labkit.setup.host import docker, jobs, paths
from labkit.setup.host.progress import Reporter
from tests.bundle.conftest import MADE

ASKED = ("haproxy:2.6.12", "registry:2.8.2")


@pytest.fixture
def engine(monkeypatch):
    """An engine that keeps what is loaded, reference → id; two images and a tool are asked for."""
    held: dict[str, str] = {}
    chosen = tuple(image for image in images.wanted() if image.reference in ASKED)
    monkeypatch.setattr(images, "wanted", lambda: chosen)
    kind = tuple(tool for tool in catalog.load().tools if tool.name == "kind")
    materials = replace(catalog.load(), tools=kind)
    monkeypatch.setattr(catalog, "load", lambda: materials)

    def inspect(what, *names):
        assert what == "image"
        return {name: {"Id": held[name], "Config": {}} for name in names if name in held}

    def load(chunks, log):
        data = b"".join(chunks)
        (told,) = json.loads(data[data.rindex(b'[{"Config"') :].rstrip(b"\0"))
        held.update(dict.fromkeys(told["RepoTags"], f"sha256:{told['Config'][:-5]}"))

    monkeypatch.setattr(docker, "inspect", inspect)
    monkeypatch.setattr(images_out, "load", load)
    return held


def names(work) -> list[str]:
    return [job.name for job in work]


def bring(one: supply.Supply) -> list[str]:
    work = one.jobs(Reporter(), answer=True)
    jobs.run(work, at_a_time=1)
    return names(work)


def test_everything_missing_is_brought(engine, file):
    assert bring(supply.Supply(str(file))) == [
        "image:registry:2.8.2",
        "image:haproxy:2.6.12",
        "tool:kind",
    ]
    assert set(engine) == set(ASKED)
    done = subprocess.run([tools.path("kind")], capture_output=True, text=True, check=True)
    assert done.stdout == "v0.33.0\n"


def test_what_is_there_is_brought_once(engine, file):
    bring(supply.Supply(str(file)))
    one = supply.Supply(str(file))
    assert bring(one) == ["tool:kind"]  # its link, as `up` does each time
    one.remember()
    assert supply.last() == str(file)
    states = [
        images.state(i, BUNDLE, docker.inspect("image", i.reference)[i.reference])
        for i in images.wanted()
    ]
    assert all(state.present and state.pinned for state in states)
    assert all(state.source.startswith("bundle sha256:") for state in states)
    (kind,) = tools.states(BUNDLE)
    assert (kind.source, kind.pinned) == ("bundle", True)


def test_an_image_that_another_command_replaced_is_brought_again(engine, file):
    bring(supply.Supply(str(file)))
    engine["haproxy:2.6.12"] = "sha256:another"
    assert bring(supply.Supply(str(file))) == ["image:haproxy:2.6.12", "tool:kind"]


def test_a_later_up_needs_no_stick_while_nothing_is_missing(engine, file):
    bring(supply.Supply(str(file)))
    file.unlink()
    assert bring(supply.Supply(str(file), named=False)) == []


def test_a_later_up_with_something_missing_asks_for_the_stick(engine, file):
    bring(supply.Supply(str(file)))
    file.unlink()
    del engine["registry:2.8.2"]
    with pytest.raises(BundleUnreadable) as caught:
        bring(supply.Supply(str(file), named=False))
    assert str(file) in caught.value.happened
    assert caught.value.hint == supply.AGAIN


def test_a_later_up_that_knows_no_bundle_says_how_to_go_on(engine):
    with pytest.raises(BundleUnreadable) as caught:
        bring(supply.Supply("", named=False))
    assert caught.value.happened == "the lab came up from a bundle, and no bundle is named now"
    assert "./lab up --bundle FILE" in caught.value.hint
    assert "./lab up --route registry" in caught.value.hint


def test_a_bundle_that_is_not_there_is_said_before_any_work(tmp_path):
    with pytest.raises(BundleUnreadable):
        supply.Supply(str(tmp_path / "none.lab"))


def test_a_damaged_layer_stops_its_image_and_is_named(engine, file, opened):
    part = opened.contents.of("layer")[1]
    with file.open("r+b") as out:
        out.seek(opened.places[part.path].start + 9)
        out.write(b"????")
    with pytest.raises(BundleDamaged) as caught:
        bring(supply.Supply(str(file)))
    assert caught.value.saw == "layer haproxy:2.6.12#2: its SHA-256 is another one"
    assert "haproxy:2.6.12" not in engine
    assert not images.pulled_record(catalog.load().image("haproxy")).exists()


@pytest.mark.parametrize(
    ("change", "happened", "saw"),
    [
        ({"target": "linux-arm64"}, "is for linux-arm64", "this machine is linux-"),
        (
            {"inputs": "0"},
            "saved by another version of labkit",
            "labkit 0.1.0 with Kubernetes 1.37.2",
        ),
    ],
)
def test_a_bundle_that_does_not_fit_is_a_clear_no(contents, tmp_path, change, happened, saw):
    target = tmp_path / "other.lab"
    save.write(replace(contents, **change), target, MADE)
    with pytest.raises(Unsupported, match=happened) as caught:
        supply.Supply(str(target))
    assert saw in caught.value.saw


def test_a_bundle_without_an_image_says_what_it_has(engine, contents, tmp_path):
    parts = tuple(p for p in contents.parts if p.name != "registry:2.8.2")
    target = tmp_path / "less.lab"
    save.write(replace(contents, parts=parts), target, MADE)
    with pytest.raises(Unsupported, match=r"no image registry:2\.8\.2") as caught:
        bring(supply.Supply(str(target)))
    assert caught.value.saw == "it has haproxy:2.6.12"


def test_over_http_only_what_is_missing_comes_and_none_of_it_stays(engine, file, ranges, opened):
    whole = supply.Supply(ranges(file))
    assert bring(whole) == ["image:registry:2.8.2", "image:haproxy:2.6.12", "tool:kind"]
    fetched = {f.name for f in blobs.folder().iterdir()}
    wheels = {part.sha256 for part in opened.contents.of("wheel")}
    assert fetched
    assert not fetched & wheels
    whole.end()
    assert list(blobs.folder().iterdir()) == []


def test_without_an_engine_three_lines_say_that_a_bundle_has_none(monkeypatch):
    def missing():
        raise EngineMissing("no container engine answers", "no docker", "x")

    monkeypatch.setattr(docker, "version", missing)
    monkeypatch.setattr(docker, "is_installed", lambda: False)
    with pytest.raises(EngineMissing) as caught:
        supply.engine(Reporter(), lambda question: True)
    assert caught.value.happened == "no container engine answers, and a bundle cannot hold one"
    assert "apt-get install docker.io" in caught.value.hint


def test_loading_needs_room_for_what_it_unpacks(file):
    one = supply.Supply(str(file))
    unpacked = sum(part.unpacked for part in one.bundle.contents.parts)
    assert one.disk() > unpacked > 200_000
    assert paths.cache("bundle").exists()
    assert layout.LIST in one.bundle.places
