"""Which Go builds are held against a checksum, by this machine's own settings."""

import shutil

import pytest

from labkit.setup.build import catalog, checked, go

needs_go = pytest.mark.skipif(not shutil.which("go"), reason="asks Go, and none is on PATH")
ALONE = catalog.Build("alone", ("alone",), module="sigs.k8s.io/kind/cmd", version="0.33.0")
BESIDE = catalog.Build("cluster", ("kubelet",))  # k8s/cluster/go, which has a go.sum


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """None of this machine's, and none of the last test's."""
    for name in ("GONOSUMDB", "GOPRIVATE", "GOSUMDB"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOENV", "off")
    checked._left_out.cache_clear()
    yield
    checked._left_out.cache_clear()


@needs_go
@pytest.mark.parametrize(
    ("setting", "value", "alone"),
    [
        ("GONOSUMDB", "", True),
        ("GONOSUMDB", "example.org,sigs.k8s.io/kind", False),
        ("GOPRIVATE", "*.k8s.io", False),
        ("GONOSUMDB", "sigs.k8s.io/kin", True),
        ("GOSUMDB", "off", False),
    ],
)
def test_a_module_that_this_machine_leaves_unchecked_is_not_called_checked(
    monkeypatch, setting, value, alone
):
    monkeypatch.setenv(setting, value)
    assert checked.by_go(ALONE) is alone
    assert checked.by_go(BESIDE), "its go.sum is compared, whatever the settings"


def test_a_folder_without_a_go_sum_is_not_called_checked(monkeypatch, tmp_path):
    monkeypatch.setattr(go, "source", lambda: tmp_path)
    assert not checked.by_go(BESIDE)


def test_where_there_is_no_go_nothing_is_called_checked_by_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not checked.by_go(ALONE)
