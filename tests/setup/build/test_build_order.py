"""What is built, and when: first what the first answer needs."""

import re

import pytest

from labkit.setup.build import catalog, images, tools
from labkit.setup.build.route import PACKAGES
from labkit.setup.host import docker, paths
from labkit.setup.host.progress import Reporter


@pytest.fixture
def names(monkeypatch):
    """The jobs of one half, in order, on a machine that has nothing."""
    monkeypatch.setattr(docker, "inspect", lambda kind, *wanted: {})

    def found(*, answer: bool) -> list[str]:
        reporter = Reporter()
        work = images.jobs(PACKAGES, reporter, answer=answer)
        return [job.name for job in [*work, *tools.jobs(PACKAGES, reporter, answer=answer)]]

    return found


def test_what_the_first_answer_needs_is_made_first_and_nothing_else(names):
    first, later = names(answer=True), names(answer=False)
    materials = catalog.load()
    needed = {"kindest/node", *(i.name for i in materials.node_images)}
    # what the Pods run that give the answer
    text = "".join(
        paths.k8s("cluster", f"{name}.yaml").read_text() for name in ("models", "ollama")
    )
    needed |= {found.rpartition(":")[0] for found in re.findall(r"image: (\S+)", text)}
    for image in images.wanted():
        assert (f"image:{image.reference}" in first) == (image.name in needed)
        assert (f"image:{image.reference}" in later) == (image.name not in needed)
    assert {"tool:kind", "tool:kubectl", "tool:helm"} <= set(first)
    assert "tool:hey" in later
    assert "build:hey" not in first


def test_the_compiler_of_the_engine_is_the_first_job_of_all(names):
    first = names(answer=True)
    assert first.index("image:lab/ollama-build:latest") == 1  # after the Debian that it stands on
    assert first.index("build:llama-server") < first.index("build:cluster")


def test_no_job_waits_for_one_that_is_made_later(names, monkeypatch):
    monkeypatch.setattr(docker, "inspect", lambda kind, *wanted: {})
    first = images.jobs(PACKAGES, Reporter(), answer=True)
    assert {need for job in first for need in job.needs} <= {job.name for job in first}


def test_builds_of_one_go_mod_come_one_after_another(monkeypatch):
    monkeypatch.setattr(docker, "inspect", lambda kind, *wanted: {})
    reporter = Reporter()
    jobs = [*images.jobs(PACKAGES, reporter, answer=True)]
    jobs += images.jobs(PACKAGES, reporter, answer=False)
    needs = {job.name: job.needs for job in jobs}
    of_one = [f"build:{build.name}" for build in catalog.load().builds if build.packages]
    assert len(of_one) == 4
    assert [needs[name] for name in of_one] == [(), *((name,) for name in of_one[:-1])]
