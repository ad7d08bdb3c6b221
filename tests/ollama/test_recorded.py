"""Ollama's words against both lines of Ollama, as their servers answer: tests/ollama/recorded."""

import pytest

from labkit.errors import ModelMissing, OllamaSaid, StreamCut
from labkit.ollama import completion, local_models, processes, running_models
from labkit.ollama.model_name import same
from tests.ollama import recorded

MODEL = "models.lab-system:5001/library/lab-llama"
each_version = pytest.mark.parametrize("version", recorded.VERSIONS)


@each_version
def test_a_first_pull_fetched_all_of_the_model_whatever_it_told_of(server, version, capsys):
    tags = recorded.value(version, "tags.json")
    server({"/api/pull": recorded.lines(version, "pull.ndjson"), "/api/tags": tags})
    pulled = local_models.pull(MODEL)
    assert pulled.fetched_bytes == tags["models"][0]["size"] > 1_000_000
    assert repr(pulled).startswith(f"pulled {MODEL}: 1.5 MB in ")
    assert "100 %" in capsys.readouterr().out


@each_version
def test_pulling_again_fetched_nothing(server, version):
    tags = recorded.value(version, "tags.json")
    server({"/api/pull": recorded.lines(version, "pull-again.ndjson"), "/api/tags": tags})
    assert local_models.pull(MODEL).fetched_bytes == 0


@each_version
def test_a_pull_of_what_the_registry_lacks_says_so(server, version):
    server({"/api/pull": recorded.lines(version, "pull-nosuch.ndjson")})
    with pytest.raises(OllamaSaid, match="file does not exist") as raised:
        local_models.pull(f"{MODEL}-nosuch")
    assert raised.value.status == 200


@each_version
@pytest.mark.parametrize("name", ["generate", "generate-again"])
def test_an_answer_is_read_whole_with_its_costs(server, version, name):
    server({"/api/generate": recorded.lines(version, f"{name}.ndjson")})
    answer = completion.generate("What is a Pod?", model=MODEL)
    assert answer.text and answer.done_reason == "stop"
    assert answer.tokens > 1 and answer.prompt_tokens > 1  # those of the cache count too
    assert answer.total_s >= answer.eval_s > 0


@each_version
def test_an_answer_whose_process_was_killed_is_an_error_and_says_how(server, version):
    server({"/api/generate": recorded.lines(version, "generate-killed.ndjson")})
    with pytest.raises(OllamaSaid, match="unexpected EOF") as raised:
        completion.generate("Count", model=MODEL)
    assert not isinstance(raised.value, StreamCut)


@each_version
def test_a_missing_model_is_one_in_the_words_of_each(server, version):
    server(
        {
            "/api/generate": (recorded.value(version, "generate-nosuch.json"), 404),
            "/api/show": (recorded.value(version, "show-nosuch.json"), 404),
        }
    )
    with pytest.raises(ModelMissing, match="model 'nosuch' not found"):
        completion.generate("Hi", model="nosuch")
    with pytest.raises(ModelMissing, match=r"model 'nosuch(:latest)?' not found"):
        local_models.show("nosuch")


@each_version
def test_a_loaded_model_takes_more_than_its_file(server, version):
    server({"/api/ps": recorded.value(version, "ps.json")})
    table = running_models.ps()
    assert same(table.column("NAME")[0], MODEL)
    assert table.column("PROCESSOR") == ["100% CPU"]
    size = recorded.value(version, "tags.json")["models"][0]["size"]
    assert table.items[0]["size"] > size


@each_version
def test_there_is_a_server_and_a_larger_process_that_runs_the_model(version):
    table = processes._processes(recorded.text(version, "top.txt"))
    larger, server = table.column("COMMAND")
    program = {"0.24.0": "/bin/ollama runner --model", "0.34.2": "llama-server --model"}[version]
    assert program in larger and server == "/bin/ollama serve"
