"""The manifests that the cluster tier makes: each is YAML, with a name that a row has."""

from pathlib import Path

import pytest
import yaml

from labkit.diagnosis import ranking

FILES = sorted((Path(__file__).parents[1] / "cluster/situations").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_manifest_has_objects_and_the_name_that_it_should_get(file):
    text = file.read_text()
    first = text.splitlines()[0]
    names = {row.id for row in ranking.ROWS} | {"nothing"}
    assert first.removeprefix("# expected:").strip() in names
    for item in yaml.safe_load_all(text):
        assert item["kind"] and item["metadata"]["name"]
        assert "namespace" not in item["metadata"]


def test_there_are_thirty_of_them():
    assert len(FILES) >= 30
