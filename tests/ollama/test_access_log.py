"""labkit/ollama/access_log.py: Ollama's access log, as it is printed."""

from labkit.ollama import access_log

LOG = """\
time=2026-01-01T12:00:00.000Z level=INFO source=routes.go:1914 msg="Listening on [::]:11434"
[GIN] 2026/01/01 - 12:00:00 | 200 |      35.884µs |      10.244.1.1 | GET      "/"
[GIN] 2026/01/01 - 12:00:01 | 404 |     312.572µs |    10.244.1.106 | POST     "/api/generate"
[GIN] 2026/01/01 - 12:00:02 | 200 |  287.142572ms |       127.0.0.1 | POST     "/api/generate"
[GIN] 2026/01/01 - 12:00:03 | 200 |          1m3s |       127.0.0.1 | POST     "/api/pull"
"""


def test_only_the_answers_to_that_path_are_counted():
    assert access_log.statuses(LOG, "/api/generate") == ["404", "200"]
    assert access_log.statuses(LOG, "/api/pull") == ["200"]
    assert access_log.statuses("", "/api/generate") == []


def test_a_strip_shows_the_latest_thirty():
    table = access_log.counted({"a": ["404"] * 5 + ["200"] * 30})
    assert table.rows == [["a", "30", "5", "✓" * 30]]
    assert table.items == [{"pod": "a", "statuses": {"404": 5, "200": 30}}]


POD = {
    "metadata": {"name": "a", "labels": {"app": "ollama"}},
    "spec": {"containers": [{"name": "ollama"}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


def test_what_an_earlier_table_has_counted_can_be_left_out(monkeypatch, capsys):
    logs = [{"a": ["404"] * 3}, {"a": [*["404"] * 3, "200", "200"], "new": ["200"]}]
    monkeypatch.setattr(access_log, "current", lambda: None)
    monkeypatch.setattr(access_log.refs, "parsed", lambda *_: "x")
    monkeypatch.setattr(access_log.refs, "found", lambda *_: POD)
    monkeypatch.setattr(access_log, "answers", lambda *_: logs.pop(0))
    before = access_log.each_pod("deployment/ollama")
    after = access_log.each_pod("deployment/ollama", since=before)
    assert after.columns == ["POD", "200", "LATEST"]
    assert after.rows == [["a", "2", "✓✓"], ["new", "1", "✓"]]
