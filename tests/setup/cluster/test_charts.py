"""setup/cluster/charts.py: where the chart repository is, after the cluster was made anew."""

from labkit.setup.cluster import charts
from labkit.setup.host import paths

ADDED = """\
repositories:
- name: ollama
  url: http://172.18.0.3:5001/charts
- name: mine
  url: http://172.18.0.3:8080/charts
"""


def test_a_repository_that_was_added_follows_the_cluster_to_its_new_address():
    added = paths.state("helm", "config", "repositories.yaml")
    paths.write_text(added, ADDED)
    charts.moved("172.18.0.2")
    assert paths.read_json(paths.state("charts.json")) == {"url": "http://172.18.0.2:5001/charts"}
    assert added.read_text() == ADDED.replace("172.18.0.3:5001", "172.18.0.2:5001")


def test_where_nothing_was_added_nothing_is_written():
    charts.moved("172.18.0.2")
    assert not paths.state("helm", "config", "repositories.yaml").exists()
