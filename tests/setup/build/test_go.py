"""How Go is called: refused in three lines where it cannot work, quick where memory is free."""

import pytest

from labkit.errors import ToolMissing
from labkit.setup.build import catalog, go
from labkit.setup.host import machine


def test_without_go_the_package_route_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing) as error:
        go.require()
    assert "https://go.dev/dl" in str(error.value)
    assert "registry route" in str(error.value)


def test_a_go_too_old_to_fetch_its_toolchain_is_refused(fake_go):
    fake_go("echo go version go1.19.8 linux/amd64")
    with pytest.raises(ToolMissing, match=r"go1\.19\.8"):
        go.require()
    fake_go("echo go version go1.21.0 linux/amd64")
    assert go.require() == "go1.21"


@pytest.mark.parametrize(("free_gib", "expected"), [(4, None), (16, "400"), (None, None)])
def test_the_compiler_is_given_more_memory_where_there_is_some(monkeypatch, free_gib, expected):
    monkeypatch.delenv("GOGC", raising=False)
    free = free_gib and free_gib * machine.GIB
    monkeypatch.setattr(machine, "memory", lambda needed: free)
    assert go.environment().get("GOGC") == expected


def test_a_setting_of_the_users_own_is_kept(monkeypatch):
    monkeypatch.setenv("GOGC", "50")
    monkeypatch.setattr(machine, "memory", lambda needed: 64 * machine.GIB)
    assert "GOGC" not in go.environment()


def test_every_go_build_is_without_debug_information():
    for build in catalog.load().builds:
        assert "-gcflags=all=-dwarf=false" in go.flags(build)


def test_helm_is_told_its_version_in_the_module_that_is_built():
    materials = catalog.load()
    version = next(tool.version for tool in materials.tools if tool.name == "helm")
    addons = next(build for build in materials.builds if "helm" in build.binaries)
    (package,) = (package for package in addons.packages if package.endswith("/helm"))
    stamp = f"-X {package.removesuffix('/cmd/helm')}/internal/version.version=v{version}"
    assert stamp in go.flags(addons)[-1]


def test_prometheus_is_told_its_version_and_has_the_one_discovery_that_the_lab_uses():
    build = next(one for one in catalog.load().builds if one.name == "prometheus")
    flags = go.flags(build)
    tag = catalog.load().image("prom/prometheus").tags[0]
    assert f"-X github.com/prometheus/common/version.Version={tag.removeprefix('v')}" in " ".join(
        flags
    )
    assert flags[flags.index("-tags") + 1] == "remove_all_sd,enable_kubernetes_sd"
    others = [one for one in catalog.load().builds if one.packages and one is not build]
    assert others and not any("-tags" in go.flags(one) for one in others)
