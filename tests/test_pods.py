"""labkit/pods.py: Ollama's access log and top's table, as they are printed."""

from labkit import pods

LOG = """\
time=2026-01-01T12:00:00.000Z level=INFO source=routes.go:1914 msg="Listening on [::]:11434"
[GIN] 2026/01/01 - 12:00:00 | 200 |      35.884µs |      10.244.1.1 | GET      "/"
[GIN] 2026/01/01 - 12:00:01 | 404 |     312.572µs |    10.244.1.106 | POST     "/api/generate"
[GIN] 2026/01/01 - 12:00:02 | 200 |  287.142572ms |       127.0.0.1 | POST     "/api/generate"
[GIN] 2026/01/01 - 12:00:03 | 200 |          1m3s |       127.0.0.1 | POST     "/api/pull"
"""
TOP = """\
top - 04:29:33 up  1:23,  0 users,  load average: 0.52, 0.58, 0.59
Tasks:   3 total,   1 running,   2 sleeping,   0 stopped,   0 zombie
%Cpu(s):  3.1 us,  3.1 sy,  0.0 ni, 93.8 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st
MiB Mem :  24000.0 total,   1000.0 free,   9000.0 used,  14000.0 buff/cache

    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND
      1 root      20   0 1264512  44132  28544 S   0.0   0.2   0:00.20 /bin/ollama serve
     20 root      20   0 3264512   1.2g  28544 R  99.9   5.0   0:10.00 /bin/ollama runner --model x
     40 root      20   0    8524   4500   2544 R   6.2   0.0   0:00.01 top -b -c -n 1 -w 200
"""


def test_only_the_answers_to_that_path_are_counted():
    assert pods.statuses(LOG, "/api/generate") == ["404", "200"]
    assert pods.statuses(LOG, "/api/pull") == ["200"]
    assert pods.statuses("", "/api/generate") == []


def test_a_strip_shows_the_latest_thirty():
    table = pods.counted({"a": ["404"] * 5 + ["200"] * 30})
    assert table.rows == [["a", "30", "5", "✓" * 30]]
    assert table.items == [{"pod": "a", "statuses": {"404": 5, "200": 30}}]


def test_processes_are_the_largest_first_without_top_itself():
    table = pods._processes(TOP)
    assert table.rows == [
        ["20", "1229 MiB", "99.9", "/bin/ollama runner --model x"],
        ["1", "43 MiB", "0.0", "/bin/ollama serve"],
    ]
