"""labkit/ollama/completion.py: streams that end well and those that do not, and what is printed."""

import json
import re
import threading

import pytest

from labkit.errors import LabError, OllamaSaid, StreamCut
from labkit.kube import proxy
from labkit.ollama import completion, local_models
from labkit.ui import silence
from labkit.ui.live import Live

DONE = {
    "model": "lab-llama:latest",
    "done": True,
    "done_reason": "stop",
    "eval_count": 4,
    "prompt_eval_count": 7,
    "total_duration": 2_000_000_000,
    "load_duration": 500_000_000,
    "prompt_eval_duration": 250_000_000,
    "eval_duration": 1_000_000_000,
}


def test_an_answer_has_the_text_the_tokens_and_seconds(server, capsys):
    asked = server({"/api/generate": [{"response": "A "}, {"response": "Pod."}, DONE]})
    answer = completion.generate("What is a Pod?", model="lab-llama", keep_alive="10s")
    assert str(answer) == "A Pod."
    assert (answer.tokens, answer.prompt_tokens, answer.tokens_per_s) == (4, 7, 4.0)
    assert (answer.total_s, answer.load_s, answer.prompt_s) == (2.0, 0.5, 0.25)
    body = {"model": "lab-llama", "prompt": "What is a Pod?", "keep_alive": "10s"}
    assert asked == [("/api/generate", body)]
    out = capsys.readouterr().out
    assert out.startswith("$ ollama run --keepalive=10s --nowordwrap lab-llama 'What is a Pod?'\n")
    assert "A Pod.\n" in out


def test_what_is_waited_for_is_said_while_no_word_comes(server, capsys, monkeypatch):
    monkeypatch.setattr(silence, "SILENT_S", 0.05)
    was_said = threading.Event()
    show = Live.show

    def shown(live: Live, *words: object, **options: object) -> None:
        show(live, *words, **options)
        was_said.set()

    monkeypatch.setattr(Live, "show", shown)

    def blocked() -> list:
        was_said.wait(30)
        return [{"response": "A Pod."}, DONE]

    server({"/api/generate": blocked})
    assert str(completion.generate("What is a Pod?", model="m")) == "A Pod."
    first, waits, text, last = capsys.readouterr().out.splitlines()
    assert first.startswith("$ ollama run")
    assert re.match(
        r"\d+ s, no word from the local Ollama yet: it loads the model, answers others first,"
        r" or is blocked; look beside this: ./lab status$",
        waits,
    )
    assert (text, last[0]) == ("A Pod.", "✓")


def test_an_answer_that_comes_at_once_says_nothing_of_waiting(server, capsys):
    server({"/api/generate": [{"response": "A"}, DONE]})
    completion.generate("x", model="m")
    assert "no word" not in capsys.readouterr().out
    assert not [one for one in threading.enumerate() if one.name.endswith("(tell)")]


def test_an_end_without_done_is_an_error_and_never_an_answer(server):
    server({"/api/generate": [{"response": "A a a"}, {"response": " a"}]})
    with pytest.raises(StreamCut, match="at least 2 tokens, 7 characters, and no done:true"):
        completion.generate("x")


def test_an_error_in_the_middle_of_an_answer_says_how_much_had_come(server):
    said = [{"response": "A"}, {"response": " Pod"}, {"response": ""}, {"error": "out of memory"}]
    server({"/api/generate": said})
    with pytest.raises(OllamaSaid) as raised:
        completion.generate("x")
    saw = "out of memory; the answer was cut after at least 2 tokens, 5 characters"
    assert raised.value.saw == saw
    server({"/api/generate": said[-1:]})
    with pytest.raises(OllamaSaid) as raised:
        completion.generate("x")
    assert raised.value.saw == "out of memory"


def test_a_connection_that_ends_in_the_middle_of_an_answer_says_how_much_had_come(
    answering, server
):
    def cut(handler) -> None:
        handler.chunk(json.dumps(message(content="A Pod")).encode() + b"\n")
        handler.close_connection = True

    server({})
    with pytest.raises(StreamCut, match="was cut after at least 1 token, 5 characters"):
        completion.chat("x", at=proxy.local(answering(cut)))


def test_what_ollama_run_takes_only_at_its_prompt_is_shown_as_typed_there(server, capsys):
    server({"/api/generate": [DONE]})
    completion.generate("Hi", model="m", system="Be brief.", options={"temperature": 0})
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "$ ollama run m",
        '>>> /set system "Be brief."',
        ">>> /set parameter temperature 0",
        ">>> Hi",
    ]


def test_a_second_turn_sends_all_that_was_said(server):
    said = {"message": {"content": "A Pod."}}
    asked = server({"/api/chat": [said, DONE]})
    first = completion.chat("What is a Pod?")
    second = completion.chat("And a Service?", after=first)
    contents = [message["content"] for message in asked[1][1]["messages"]]
    assert contents == ["What is a Pod?", "A Pod.", "And a Service?"]
    assert [message["role"] for message in second.messages] == ["user", "assistant"] * 2


def message(**parts: object) -> dict:
    return {"model": "m", "message": {"role": "assistant", "content": "", **parts}, "done": False}


def test_what_a_model_thinks_is_shown_and_kept_apart_from_what_it_says(server, capsys):
    thoughts = [{"thinking": "A Pod? "}, {"thinking": "Yes."}]
    server({"/api/generate": [*thoughts, {"response": "A group."}, DONE]})
    answer = completion.generate("What is a Pod?", model="m")
    assert (str(answer), answer.thinking) == ("A group.", "A Pod? Yes.")
    shown = "Thinking...\nA Pod? Yes.\n...done thinking.\n\nA group.\n"
    assert shown in capsys.readouterr().out
    assert "Yes." not in repr(answer)
    assert hash(answer) == hash(answer)


def test_a_talk_goes_on_with_what_was_thought_and_called(server, capsys):
    call = {"function": {"name": "pods", "arguments": {"namespace": "lab", "limit": 2}}}
    events = [message(thinking="Count."), message(tool_calls=[call]), message(), DONE]
    asked = server({"/api/chat": events})
    first = completion.chat("How many Pods?", model="m", tools=[{"type": "function"}])
    assert (first.text, first.thinking, first.tool_calls) == ("", "Count.", [call])
    shown = 'calls pods(namespace="lab", limit=2)\n'
    assert f"...done thinking.\n\n{shown}" in capsys.readouterr().out
    assert repr(first).startswith(shown)
    completion.chat([{"role": "tool", "content": "2"}], after=first, model="m")
    assert asked[0][1]["tools"] == [{"type": "function"}]
    said = {"role": "assistant", "content": "", "thinking": "Count.", "tool_calls": [call]}
    assert asked[1][1]["messages"][1:] == [said, {"role": "tool", "content": "2"}]


def test_a_message_that_is_null_and_a_message_without_content_say_nothing(server):
    server({"/api/chat": [{"message": None}, message(content=None), {**DONE, "message": None}]})
    assert completion.chat([{"role": "user", "images": ["aGk="]}]).text == ""


def test_thinking_that_is_cut_off_is_no_answer(server):
    server({"/api/generate": [{"thinking": "Hm"}]})
    with pytest.raises(StreamCut, match="0 characters, and no done:true, after 2 of thinking"):
        completion.generate("x")


def test_lines_end_at_lf_alone(server):
    text = "a\u0085b\u2028c\u2029d\x0be\x1cf"
    raw = json.dumps({"response": text}, ensure_ascii=False).replace("\\u000b", "\\u000b")
    server({"/api/generate": [raw.encode() + b"\r\n", DONE]})
    assert completion.generate("x").text == text


@pytest.mark.parametrize(
    ("value", "sent", "word"),
    [
        ("5m", "5m", "5m"),
        ("1h30m", "1h30m", "1h30m"),
        ("-1m", "-1m", "-1m"),
        (-1, -1, "-1s"),
        ("-1", -1, "-1s"),
        (0, 0, "0s"),
        ("0", 0, "0s"),
        (300, 300, "300s"),
        ("300", 300, "300s"),
        (1.5, 1.5, "1.5s"),
        ("1.5", 1.5, "1.5s"),
        (1e9, 1e9, "1000000000s"),
    ],
)
def test_keep_alive_is_sent_as_ollama_takes_it_and_printed_as_its_cli_does(
    server, capsys, value, sent, word
):
    asked = server({"/api/generate": [DONE], "/api/chat": [DONE]})
    completion.generate("Hi", model="m", keep_alive=value)
    completion.chat("Hi", model="m", keep_alive=value)
    assert [body["keep_alive"] for _, body in asked] == [sent, sent]
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("$")]
    assert lines == [
        f"$ ollama run --keepalive={word} --nowordwrap m Hi",
        f"$ ollama run --keepalive={word} m",
    ]


@pytest.mark.parametrize(
    ("value", "word"), [(True, "--think"), (False, "--think=false"), ("high", "--think=high")]
)
def test_think_is_asked_for_in_ollamas_words(server, capsys, value, word):
    asked = server({"/api/generate": [DONE]})
    completion.generate("Hi", model="m", think=value)
    assert asked[0][1]["think"] == value
    assert capsys.readouterr().out.startswith(f"$ ollama run {word} --nowordwrap m Hi\n")


@pytest.mark.parametrize(
    ("options", "happened", "hint"),
    [
        ({"temprature": 0}, "the option temprature", 'options={"temperature": …}'),
        ({"max_completion_tokens": 3}, "max_completion_tokens", 'options={"num_predict": …}'),
        ({"seed": 1, "Num_Ctx": 512}, "the option Num_Ctx", 'options={"num_ctx": …}'),
        ({"keep_alive": "1h"}, "the option keep_alive", "an argument of its own"),
        ({"xyzzy": 1}, "the option xyzzy", "one of: draft_num_predict,"),
        ({"num_predict": "3"}, "num_predict cannot be '3'", "an integer, such as"),
        ({"stop": "."}, "stop cannot be '.'", 'options={"stop": ["."]}'),
        ({"use_mmap": 1}, "use_mmap cannot be 1", "True or False"),
    ],
)
def test_an_option_that_ollama_would_ignore_or_answer_with_a_500_is_not_sent(
    server, options, happened, hint
):
    asked = server({"/api/version": {"version": "0.34.2"}})
    for ask in (completion.generate, completion.chat):
        with pytest.raises(LabError) as raised:
            ask("x", model="m", options=options)
        assert happened in raised.value.happened and hint in raised.value.hint
    assert [path for path, _ in asked if path != "/api/version"] == []


@pytest.mark.parametrize("version", ["0.6.2", "0.35.0"])
def test_an_option_of_another_version_is_sent_and_told(server, capsys, version):
    options = {"mirostat": 1}
    asked = server({"/api/version": {"version": version}, "/api/generate": [DONE]})
    completion.generate("x", model="m", options=options)
    assert asked[-1][1]["options"] == options
    said = f"# mirostat is not an option of Ollama 0.34; this is {version}\n"
    assert capsys.readouterr().out.startswith(said)


def test_known_options_cost_no_question(server):
    asked = server({"/api/generate": [DONE]})
    completion.generate("x", options={"num_predict": 3, "temperature": 0, "use_mmap": True})
    assert [path for path, _ in asked] == ["/api/generate"]


PAGE = b"""<!DOCTYPE html>
<html><head>
<title>
  502 Bad&nbsp;Gateway
  more</title></head>
<body>{"error": "no"}</body></html>
"""


@pytest.mark.parametrize("status", [200, 404, 502, 503, 504])
@pytest.mark.parametrize(
    "ask", [completion.generate, completion.chat, local_models.pull, local_models.show]
)
def test_a_page_of_a_proxy_is_said_to_be_no_word_of_ollama(server, ask, status):
    paths = ("/api/generate", "/api/chat", "/api/pull", "/api/show")
    server(dict.fromkeys(paths, (PAGE, status)))
    with pytest.raises(OllamaSaid, match="the proxy, not Ollama") as raised:
        ask("x")
    assert (raised.value.saw, raised.value.status) == ("502 Bad Gateway", status)
    assert "queue is full" not in raised.value.hint
