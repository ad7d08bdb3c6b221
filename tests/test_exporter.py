"""The exporter of k8s/steps/08-proxy: what it makes of HAProxy's log, of Ollama and /proc."""

import json
import re
import socket
import subprocess
import sys
import time
import types
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

MANIFEST = Path(__file__).parents[1] / "k8s" / "steps" / "08-proxy" / "exporter.yaml"
SOURCE = yaml.safe_load(MANIFEST.read_text())["data"]["exporter.py"]
MODEL = "lab-llama"
TIMES = {"request_ms": 0, "queue_ms": 200, "connect_ms": 1, "response_ms": 49, "total_ms": 1250}
COSTS = {"eval_count": 41, "prompt_eval_count": 7, "load_duration": 30_000_000}
JSON = "application/json; charset=utf-8"
WHOLE = {"model": MODEL, "done": True, **COSTS}


@pytest.fixture
def exporter() -> types.ModuleType:
    made = types.ModuleType("exporter")
    exec(compile(SOURCE, "exporter.py", "exec"), made.__dict__)
    return made


@pytest.fixture
def sums(exporter):
    return exporter.Sums()


def record(answer: dict | None = WHOLE, **other) -> bytes:
    """A line of the log, as haproxy.cfg has it."""
    found = {"path": "/api/generate", "method": "POST", "status": 200, "end": "--", **TIMES}
    found |= {"type": "application/x-ndjson", "answer": answer}
    return json.dumps(found | other).encode()


def samples(lines: list[str]) -> dict[str, float]:
    """What a scrape reads: each sample once, under a family that was announced before."""
    found, family = {}, ""
    for line in lines:
        if line.startswith("# TYPE "):
            family = line.split()[2]
        elif not line.startswith("#"):
            sample, value = line.rsplit(" ", 1)
            assert re.fullmatch(rf"{family}(_bucket|_sum|_count)?({{.+}})?", sample), line
            assert sample not in found
            found[sample] = float(value)
    return found


OUTCOMES = [
    ("ok", record()),
    ("ok", record(path="/api/pull", answer={"done": True})),
    ("ok", record(path="/api/show", answer={"done": False})),
    ("ok", record(path="/api/generate", method="HEAD", answer=None)),
    ("ok", record({"model": MODEL, "done": False}, path="/v1/completions", type=JSON)),
    ("ok", record({"completion_tokens": 4, "done": False}, path="/v1/chat/completions", type=JSON)),
    ("ok", record({"model": MODEL, "done": True, "done_reason": "load"}, type=JSON)),
    ("ok", record(path="/api/chat", answer={"done": True, "done_reason": "unload"}, type=JSON)),
    ("http_error", record(status=404, answer={"error": "model 'no' not found", "done": False})),
    ("http_error", record(status=503, end="sQ", answer=None)),
    ("http_error", record(status=503, end="LR", answer=None)),
    ("in_band_error", record(answer={"error": "an error", "done": False})),
    ("in_band_error", record(path="/api/pull", answer={"error": "no such file", "done": False})),
    ("in_band_error", record(end="CD", answer={"error": "no such file", "done": False})),
    ("ok", record(end="CD")),
    ("canceled", record(end="CD", path="/api/show", type=JSON, answer={"done": False})),
    ("cut", record(end="SD", answer={"model": MODEL, "done": False})),
    ("cut", record(end="SD")),
    ("cut", record(end="SD", path="/v1/completions", type=JSON)),
    ("cut", record({"done": False}, path="/v1/completions", type="text/event-stream")),
    ("cut", record(answer={"model": MODEL, "done": False})),
    ("cut", record(path="/api/pull", answer={"done": False})),
    ("cut", record(end="KD", path="/api/show")),
    ("canceled", record(end="CD", answer={"model": MODEL, "done": False})),
    ("canceled", record(status=503, end="CQ", answer=None)),
]


@pytest.mark.parametrize(("outcome", "line"), OUTCOMES)
def test_each_request_ends_in_one_way(sums, outcome, line):
    before = samples(sums.lines())
    sums.add(line)
    after = samples(sums.lines())
    path = json.loads(line)["path"]
    shown = f'ollama_answers_total{{path="{path}",outcome="{outcome}"}}'
    assert after[shown] == before.get(shown, 0) + 1
    answers = "ollama_answers_total"
    assert sum(count for name, count in after.items() if name.startswith(answers)) == 1
    assert after["ollama_exporter_unread_lines_total"] == 0


def test_a_rate_finds_a_zero_before_the_first_of_each_outcome(sums):
    found = samples(sums.lines())
    for path in ("/api/generate", "/api/chat", "/api/pull"):
        for outcome in ("ok", "http_error", "in_band_error", "cut", "canceled"):
            assert found[f'ollama_answers_total{{path="{path}",outcome="{outcome}"}}'] == 0


def test_a_rate_finds_zeros_before_the_first_answer_of_the_pods_model(exporter):
    made = exporter.Sums(MODEL)
    before = samples(made.lines())
    made.add(record({**WHOLE, "prompt_eval_duration": 1, "eval_duration": 1}))
    after = samples(made.lines())
    assert set(after) == set(before)
    assert not any(before.values())
    assert after[f'gen_ai_server_request_duration_seconds_count{{gen_ai_request_model="{MODEL}"}}']


def test_an_answer_is_added_to_tokens_and_times(sums):
    sums.add(record())
    found = samples(sums.lines())
    model = f'{{gen_ai_request_model="{MODEL}"'
    assert found[f'gen_ai_client_token_usage_sum{model},gen_ai_token_type="output"}}'] == 41
    assert found[f'gen_ai_client_token_usage_sum{model},gen_ai_token_type="input"}}'] == 7
    assert found[f"gen_ai_server_request_duration_seconds_sum{model}}}"] == 1.25
    assert found[f"gen_ai_server_time_to_first_token_seconds_sum{model}}}"] == 0.25
    assert found[f"gen_ai_server_time_per_output_token_seconds_sum{model}}}"] == 1.0 / 40
    assert found[f"ollama_load_duration_seconds_sum{model}}}"] == 0.03
    assert not [name for name in found if "ollama_eval_duration" in name]  # it was not told


@pytest.mark.parametrize(
    ("outcome", "line"), [(outcome, line) for outcome, line in OUTCOMES if outcome != "ok"]
)
def test_what_did_not_end_well_is_no_latency_and_no_token(sums, outcome, line):
    sums.add(line)
    assert not [name for name in samples(sums.lines()) if "gen_ai" in name], outcome


def test_an_answer_that_is_no_stream_has_no_first_token(sums):
    sums.add(record(type="application/json; charset=utf-8"))
    found = " ".join(samples(sums.lines()))
    assert "request_duration" in found
    assert "first_token" not in found
    assert "per_output_token" not in found


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_model_that_is_loaded_or_unloaded_by_an_empty_prompt_is_no_answer(sums, reason):
    sums.add(record({"model": MODEL, "done": True, "done_reason": reason}, type=JSON))
    assert not [name for name in samples(sums.lines()) if "gen_ai" in name]


def test_openais_answers_count_their_own_words_for_tokens(sums):
    used = {"model": MODEL, "done": True, "prompt_tokens": 4, "completion_tokens": 40}
    sums.add(record(used, path="/v1/chat/completions", type="text/event-stream"))
    found = samples(sums.lines())
    counted = [value for name, value in found.items() if "token_usage_sum" in name]
    assert counted == [4, 40]


def test_buckets_add_up(exporter):
    histogram = exporter.Histogram("x", "X.", (0.1, 1, 10))
    for value in (0.1, 0.5, 0.5, 100):
        histogram.add(value, 'a="b"')
    assert histogram.lines()[2:] == [
        'x_bucket{a="b",le="0.1"} 1',
        'x_bucket{a="b",le="1"} 3',
        'x_bucket{a="b",le="10"} 3',
        'x_bucket{a="b",le="+Inf"} 4',
        'x_sum{a="b"} 101.1',
        'x_count{a="b"} 4',
    ]


def test_a_client_cannot_make_labels_without_end(sums, exporter):
    for number in range(3 * exporter.MODELS):
        sums.add(record({"model": f"model-{number}", "done": True}, path="/api/generate"))
        sums.add(record(path=f"/{number}"))
    found = samples(sums.lines())
    durations = [name for name in found if name.startswith("gen_ai_server_request_duration")]
    models = {re.search('model="(.*?)"', name)[1] for name in durations}
    assert len(models) == exporter.MODELS + 1
    assert found['ollama_answers_total{path="other",outcome="ok"}'] == 3 * exporter.MODELS


def test_a_models_name_cannot_break_the_format(sums):
    sums.add(record({"model": 'a"} 1\nb\\', "done": True}))
    line = [one for one in sums.lines() if one.startswith("gen_ai_server_request_dur")][-1]
    assert line.endswith('_count{gen_ai_request_model="a\\"} 1\\nb\\\\"} 1')


@pytest.mark.parametrize(
    "line",
    [b"{", b'{"time":1}', b"\xff{", b'{"path":"/","end":"","answer":null}', record(status="")],
)
def test_a_line_that_is_no_record_is_counted_as_such(sums, line):
    sums.add(line if line.startswith(b"{") else b"{" + line)
    assert samples(sums.lines())["ollama_exporter_unread_lines_total"] == 1


def test_haproxys_own_words_are_no_record(sums):
    sums.add(b"Server inference/ollama is UP, reason: Layer7 check passed")
    assert samples(sums.lines())["ollama_exporter_unread_lines_total"] == 0


def test_models_in_memory_are_what_ollama_says(exporter, serve):
    models = [{"name": MODEL, "size": 4_000_000, "more": 1}]
    exporter.OLLAMA = serve({"/api/ps": json.dumps({"models": models}).encode()})
    found = samples(exporter.loaded())
    assert found["ollama_loaded_models"] == 1
    assert found[f'ollama_loaded_model_bytes{{model="{MODEL}"}}'] == 4_000_000
    assert found["ollama_up"] == 1


@pytest.mark.parametrize("answer", [500, b"{", b"{}", b'{"models":[{}]}'])
def test_an_ollama_that_does_not_answer_is_down(exporter, serve, answer):
    exporter.OLLAMA = serve({"/api/ps": answer})
    assert samples(exporter.loaded()) == {"ollama_up": 0}
    exporter.OLLAMA = "http://127.0.0.1:1"
    assert samples(exporter.loaded()) == {"ollama_up": 0}


@pytest.mark.parametrize("model", ["ollama\0runner\0--model", "/usr/lib/ollama/llama-server\0-m"])
def test_memory_is_told_for_the_server_and_for_the_models_process(exporter, tmp_path, model):
    programs = ["/usr/bin/ollama\0serve", model, "ollama\0pull\0x", "haproxy\0-W", ""]
    for number, words in enumerate(programs, 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "cmdline").write_text(words)
        (folder / "statm").write_text(f"9999 {number} 1 1 0 1 0")
    (tmp_path / "6").mkdir()  # ended while it was read
    found = samples(exporter.resident(tmp_path))
    page = 4096
    name = "ollama_process_resident_bytes"
    assert found == {f'{name}{{process="server"}}': page, f'{name}{{process="model"}}': 2 * page}


def test_what_the_kernel_dropped_is_told(exporter, tmp_path):
    table = tmp_path / "udp"
    head = (
        "   sl  local_address rem_address st tx_queue tr tm->when retrnsmt uid timeout inode drops"
    )
    row = "  100: {} 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1 {}"
    table.write_text("\n".join([head, row.format("0100007F:20D5", 3), row.format("0:0035", 9)]))
    assert samples(exporter.dropped(8405, table)) == {"ollama_exporter_dropped_lines_total": 3}


def test_a_line_that_is_sent_is_on_the_page_at_the_next_scrape(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = tmp_path / "exporter.py"
    file.write_text(SOURCE.replace("PORT = 8405", f"PORT = {port}"))
    process = subprocess.Popen([sys.executable, file])
    try:
        page = f"http://127.0.0.1:{port}/metrics"
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(page, timeout=5).close()
                break
            except urllib.error.URLError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
            for _ in range(100):
                log.sendto(record(), ("127.0.0.1", port))
        counted = ""
        while 'path="/api/generate",outcome="ok"} 100' not in counted:
            assert time.monotonic() < deadline, counted
            with urllib.request.urlopen(page, timeout=5) as answer:
                counted = answer.read().decode()
        samples(counted.splitlines())
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("words", [["check"], ["format", "--check"]])
def test_its_source_keeps_the_rules_of_the_rest(words):
    command = [sys.executable, "-m", "ruff", *words, "--stdin-filename", "exporter.py", "-"]
    done = subprocess.run(command, input=SOURCE, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
