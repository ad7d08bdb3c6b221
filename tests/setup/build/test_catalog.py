"""The bill of materials: whole, without collisions, hashed by content."""

import re

import pytest

from labkit.commands import up
from labkit.errors import Unsupported
from labkit.setup.build import builds, catalog, go, route
from labkit.setup.cluster import services


@pytest.fixture(scope="module")
def materials() -> catalog.Materials:
    return catalog.load()


def test_every_tool_and_image_names_its_version_and_a_source_per_route(materials):
    for tool in materials.tools:
        assert re.fullmatch(r"\d+\.\d+\.\d+", tool.version)
        assert tool.url.startswith("https://")
        assert builds.build_of(tool.name)
    for image in (*materials.images, *materials.node_images):
        assert image.tags
        assert catalog.paths.k8s("images", image.folder, "Dockerfile").is_file(), image.name


def test_both_routes_run_the_same_kubernetes(materials):
    assert materials.node.tags == (f"v{materials.kubernetes}",)
    # kind publishes its images for some patches only
    minor = materials.kubernetes.rpartition(".")[0]
    assert materials.node.published.startswith(f"v{minor}.")
    tools = {tool.name: tool.version for tool in materials.tools}
    assert tools["kubectl"] == materials.kubernetes
    go_mod = (go.source() / "go.mod").read_text()
    assert f"k8s.io/kubernetes v{materials.kubernetes}" in go_mod
    assert f"helm.sh/helm/v4 v{tools['helm']}" in go_mod
    assert f"sigs.k8s.io/kind v{tools['kind']}" in go_mod
    tags = {image.name: image.tags[0] for image in (*materials.images, *materials.node_images)}
    for name, module in (
        ("registry.k8s.io/metrics-server/metrics-server", "sigs.k8s.io/metrics-server"),
        ("registry.k8s.io/coredns/coredns", "github.com/coredns/coredns"),
        ("rancher/local-path-provisioner", "github.com/rancher/local-path-provisioner"),
    ):
        assert f"{module} {tags[name]}" in go_mod
    major, minor, patch = tags["prom/prometheus"].removeprefix("v").split(".")
    assert f"prometheus/prometheus v0.{major}{int(minor):02}.{patch}" in go_mod
    assert f"go.etcd.io/etcd/server/v3 v{tags['registry.k8s.io/etcd'].partition('-')[0]}" in go_mod


def test_both_routes_run_the_same_ollama(materials):
    assert materials.image("ollama/ollama").tags[0] == materials.ollama
    assert builds.build_of("ollama").version == materials.ollama
    # its two parts are of one module
    program, engine = builds.build_of("ollama"), builds.build_of("llama-server")
    assert (engine.module, engine.version) == (program.module, program.version)


def test_no_two_images_have_one_path_on_the_registry(materials):
    paths = [image.path for image in materials.images]
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("ollama/ollama", "ollama/ollama"),
        ("nixery.dev/hey", "hey"),
        ("registry", "library/registry"),
        ("registry.k8s.io/coredns/coredns", "coredns/coredns"),
    ],
)
def test_a_registry_is_asked_for_the_name_without_its_host(name, path):
    assert catalog.Image(name, ("latest",), "x").path == path


def test_every_checksum_and_digest_is_whole_or_left_empty(materials):
    for tool in materials.tools:
        for checksum in tool.sha256s.values():
            assert re.fullmatch(r"[0-9a-f]{64}", checksum)
    for image in (*materials.images, materials.node):
        assert re.fullmatch(r"(sha256:[0-9a-f]{64})?", image.digest)


def test_a_hash_follows_contents_names_and_modes(tmp_path):
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\n")
    first = catalog.digest_of(tmp_path)
    assert catalog.digest_of(tmp_path) == first
    file.write_text("FROM  scratch\n")
    second = catalog.digest_of(tmp_path)
    file.chmod(0o755)
    third = catalog.digest_of(tmp_path)
    file.rename(tmp_path / "Containerfile")
    assert len({first, second, third, catalog.digest_of(tmp_path)}) == 4


@pytest.fixture
def newer(monkeypatch):
    monkeypatch.setenv("LAB_OLLAMA_VERSION", "0.32.15")
    catalog.load.cache_clear()
    yield
    monkeypatch.delenv("LAB_OLLAMA_VERSION")
    catalog.load.cache_clear()


@pytest.mark.usefixtures("newer")
def test_another_ollama_is_an_option_of_the_registry_route_alone():
    assert catalog.load().image("ollama/ollama").tags == ("0.32.15", "latest")
    assert "image: ollama/ollama:0.32.15\n" in services.manifest("ollama.yaml")
    up.require_registry_route(route.Route("registry", "asked for"))
    with pytest.raises(Unsupported, match="builds the tried Ollama only"):
        up.require_registry_route(route.Route("packages", "asked for"))
