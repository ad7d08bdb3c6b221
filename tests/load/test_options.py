"""The command line: hey's flags mean what they mean in hey, and mistakes are told."""

import os

import pytest

from labkit.load.errors import LoadError
from labkit.load.options import SWITCHES, USAGE, VALUES, duration_s, parse

URL = "http://127.0.0.1:11434"


def plan(*words: str):
    return parse([*words, URL]).plan


def test_without_options_it_is_heys_default():
    made = plan()
    assert (made.requests, made.clients, made.method, made.timeout_s) == (200, 50, "GET", 20.0)
    assert made.headers == (("Content-Type", "text/html"),)
    assert (made.rate, made.client_rate, made.seconds, made.body) == (None, None, None, None)


def test_heys_flags_mean_what_they_mean_in_hey():
    made = plan(*"-n 10 -c 2 -q 5 -t 3 -m post -d {} -T application/json".split())
    assert (made.requests, made.clients, made.client_rate) == (10, 2, 5.0)
    assert (made.timeout_s, made.method, made.body) == (3.0, "POST", "{}")
    assert made.headers == (("Content-Type", "application/json"),)


def test_a_duration_takes_the_place_of_the_number_of_requests():
    made = plan("-z", "1m30s", "-n", "10")
    assert (made.seconds, made.requests) == (90.0, None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("3m", 180), ("1.5h", 5400), ("250ms", 0.25), ("2us", 2e-6)]
)
def test_durations_are_gos(text, seconds):
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "s", "0s", "10x", "1m30", "-5s", "1..5s", "1s "])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match=r"duration|float"):
        duration_s(text)


def test_headers_repeat_and_a_content_type_among_them_is_the_one():
    made = plan("-H", "A: b", "-H", "Content-Type: x/y", "-H", "a:c")
    assert made.headers == (("A", "b"), ("Content-Type", "x/y"), ("a", "c"))


def test_a_body_can_come_from_a_file(tmp_path):
    (tmp_path / "body").write_text('{"prompt": "ä"}')
    assert plan("-D", os.fspath(tmp_path / "body")).body == '{"prompt": "ä"}'


def test_a_model_makes_it_a_request_to_ollamas_api():
    made = plan("--model", "m", "--prompt", "p", "--num-predict", "7", "--no-stream")
    assert (made.api, made.method, made.model, made.prompt) == ("generate", "POST", "m", "p")
    assert (made.num_predict, made.stream, made.headers) == (7, False, ())
    assert plan("--model", "m", "--api", "chat").api == "chat"


def test_prompts_are_varied_on_request():
    assert plan("--model", "m", "--vary-prompt").vary_prompt is True
    assert plan("--model", "m").vary_prompt is False


def test_an_open_loop_may_open_many_connections():
    assert (plan("--rate", "2.5").rate, plan("--rate", "2.5").clients) == (2.5, 1000)
    assert plan("--rate", "2.5", "-c", "4").clients == 4


def test_limits_of_goodput_are_ms_or_durations():
    made = plan("--goodput", "ttft=500,gap=0.1s,latency=9.5")
    assert made.goodput == (("ttft", 500.0), ("gap", 100.0), ("latency", 9.5))


def test_a_worker_runs_its_share_of_a_plan_from_a_file(tmp_path):
    (tmp_path / "plan").write_text(plan("-n", "10", "-c", "4").to_json())
    options = parse(
        ["--plan", os.fspath(tmp_path / "plan"), "--worker", "1/2", "--start-at", "9.5"]
    )
    assert (options.plan.requests, options.plan.clients, options.plan.worker) == (5, 2, 1)
    assert options.start_at == 9.5
    assert parse(["--start-at", "/start/at", URL]).start_at == "/start/at"


def test_a_value_can_follow_an_equals_sign():
    assert plan("-n=10", "--model=a=b", "--sweep=1").model == "a=b"
    assert parse(["--sweep=1,2,4", URL]).sweep == [1, 2, 4]


@pytest.mark.parametrize(
    ("words", "happened", "saw"),
    [
        ("", "a target is missing", "no words"),
        ("-n", "-n needs a value", "-n"),
        ("-n ten URL", "-n does not take this value", "ten: invalid literal"),
        ("-n 0 URL", "requests cannot be 0", "at least 1"),
        ("-z 10 URL", "-z does not take this value", "a duration is 10s, 3m or 1m30s"),
        ("-H A URL", "-H does not take this value", "a header is 'Name: value'"),
        ("-D /no/such URL", "-D does not take this value", "/no/such: No such file"),
        ("-o xml URL", "-o does not take this value", "one of text, csv, json"),
        ("--goodput tpot=1 URL", "--goodput does not take this value", "limits are ttft="),
        ("--sweep 1,0 URL", "--sweep does not take this value", "1 or more"),
        ("--api chat URL", "Ollama's API needs a model", "no --model"),
        ("--rat 3 URL", "this is not an option, and there is one target", "--rat"),
        ("URL URL", "this is not an option, and there is one target", URL),
        ("--worker 2/2 URL", "no such worker", "2/2"),
    ],
)
def test_mistakes_are_told_in_three_lines(words, happened, saw):
    with pytest.raises(LoadError) as error:
        parse(words.replace("URL", URL).split())
    assert error.value.happened == happened
    assert saw in error.value.saw
    assert len(str(error.value).splitlines()) == 3


def test_the_help_names_every_option():
    for name in (*VALUES, *SWITCHES):
        assert name in USAGE or name in ("-h", "--help"), name


def test_help_needs_no_target():
    assert parse(["-h"]).help
