"""labkit/measure/fits.py: what a Pod with a model needs, in words, and where there is room."""

import json

import pytest

import labkit as lab
from labkit.errors import ModelMissing

INFO = {
    "general.architecture": "llama",
    "llama.block_count": 12,
    "llama.embedding_length": 512,
    "llama.feed_forward_length": 1408,
    "llama.attention.head_count": 8,
    "llama.context_length": 2048,
    "llama.vocab_size": 8192,
}
SIZE = 85_670_784
MIB = 2**20


def node(name: str, memory: str, **spec) -> dict:
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": {"memory": memory}}}


def pod(where: str, memory: str, phase: str = "Running") -> dict:
    one = {"resources": {"requests": {"memory": memory}}}
    return {"spec": {"nodeName": where, "containers": [one]}, "status": {"phase": phase}}


NODES = [
    node("small", "256Mi"),
    node("large", "1Gi"),
    node("control", "8Gi", taints=[{"key": "control-plane", "effect": "NoSchedule"}]),
    node("cordoned", "8Gi", unschedulable=True),
]
PODS = [
    pod("large", "100Mi"),
    pod("large", "600Mi", "Succeeded"),
    pod("small", "100Mi"),
    {"spec": {"containers": []}, "status": {"phase": "Pending"}},
]


@pytest.fixture
def world(connected, discovery, answering, monkeypatch):
    """`world(…)`: a cluster with these nodes and Pods, and an Ollama that has the model `m`."""

    def start(info=INFO, parameters="", *, nodes=NODES, models=("m:latest",), rights=True):
        bodies: list[dict] = []

        def kubernetes(handler) -> None:
            path = handler.path.partition("?")[0]
            found = {"/api/v1/nodes": nodes, "/api/v1/pods": PODS}.get(path)
            if path in discovery:
                handler.send(discovery[path])
            elif rights or path == "/readyz":
                handler.send({"items": found})
            else:
                reason = {"reason": "Forbidden", "message": "nodes is forbidden", "code": 403}
                handler.send(reason, 403)

        def ollama(handler) -> None:
            if handler.path == "/api/tags":
                handler.send({"models": [{"name": name, "size": SIZE} for name in models]})
                return
            bodies.append(json.loads(handler.body))
            whole = {"tokenizer.ggml.tokens": ["x"] * 8192} if bodies[-1].get("verbose") else {}
            handler.send({"model_info": {**info, **whole}, "parameters": parameters})

        connected(kubernetes)
        monkeypatch.setenv("OLLAMA_HOST", answering(ollama))
        return bodies

    return start


def test_what_a_pod_needs_and_where_there_is_room_is_said_in_words(world, capsys):
    world()
    found = lab.fits("m", context=2048)
    assert capsys.readouterr().out == "$ ollama show m\n"
    assert found.free_bytes == {"small": 156 * MIB, "large": 924 * MIB}
    assert found.nodes == ["large"]
    assert repr(found).splitlines() == [
        "m, context 2048, 1 answer at a time: 195 MiB for the Pod",
        "  82 MiB weights, 48 MiB KV cache, 14 MiB for a batch, 20 MiB the engine's program,"
        " 32 MiB ollama serve",
        "  each new prompt adds 24.0 KiB a token, up to 8 GiB",
        "  fits on large (924 MiB free)",
    ]


def test_more_answers_at_a_time_may_fit_nowhere(world):
    world()
    found = lab.fits("m", context=2048, parallel=20)
    assert found.nodes == []
    assert repr(found).endswith("fits on no node: the most that one has free is 924 MiB")


def test_the_context_is_the_models_own_where_none_is_given(world):
    world(parameters="temperature 0.3\nnum_ctx 1024\nstop <|end|>")
    assert lab.fits("m").engine.context == 1024
    assert lab.fits("m", context=512).engine.context == 512


def test_the_vocabulary_is_asked_for_where_its_size_is_not_written_down(world):
    bodies = world({key: value for key, value in INFO.items() if key != "llama.vocab_size"})
    short = lab.fits("m", context=2048).engine
    assert bodies == [{"model": "m"}, {"model": "m", "verbose": True}]
    world()
    assert lab.fits("m", context=2048).engine == short


def test_without_the_right_to_list_nodes_the_need_is_said_all_the_same(world):
    world(rights=False)
    found = lab.fits("m", context=2048)
    assert (found.free_bytes, found.nodes) == (None, [])
    assert "which node has room is not known" in repr(found)


def test_an_architecture_that_was_not_measured_is_said_to_be_an_estimate(world):
    other = {key.replace("llama", "phi3"): value for key, value in INFO.items()}
    world({**other, "general.architecture": "phi3"})
    assert "an estimate" in repr(lab.fits("m"))
    world()
    assert "an estimate" not in repr(lab.fits("m"))


def test_a_model_that_was_deleted_meanwhile_is_missing(world):
    world(models=("other:latest",))
    with pytest.raises(ModelMissing, match="it has other:latest"):
        lab.fits("m")


@pytest.mark.parametrize("numbers", [{"context": 0}, {"parallel": 0}])
def test_a_number_below_one_is_refused_before_anything_is_asked(world, numbers):
    bodies = world()
    with pytest.raises(ValueError, match="1 or more"):
        lab.fits("m", **numbers)
    assert bodies == []
