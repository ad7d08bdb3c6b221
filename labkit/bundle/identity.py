"""Which labkit a bundle belongs to: a hash of all that decides its versions and images."""

from __future__ import annotations

from labkit.setup.build import catalog, go
from labkit.setup.host import paths


def inputs() -> str:
    """The same for two clones that a bundle of either can bring up."""
    folders = paths.k8s("images"), paths.k8s("cluster", "node"), go.source()
    return catalog.digest_of(catalog.versions_file(), *folders)
