"""labkit/kube/client.py against a web server on this machine that says what API servers say."""

import json
import threading
import time
from pathlib import Path

import pytest
import yaml

from labkit.errors import (
    AlreadyExists,
    ApiSilent,
    Conflict,
    LabError,
    NotFound,
    Refused,
    UnknownResource,
)
from labkit.kube.client import Api


@pytest.fixture
def serving(answering, tmp_path):
    """`serving(answer)`: an Api whose server calls `answer(handler)` for each request."""
    return lambda answer: Api(kubeconfig(tmp_path, answering(answer)))


def kubeconfig(folder: Path, server: str, **user: str) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "users": [{"name": "x", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "current-context": "x",
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def stream(handler, *events: dict) -> None:
    """The events of a watch, which then ends."""
    for event in events:
        handler.chunk(json.dumps(event).encode() + b"\n")
    handler.chunk(b"")


def event(kind: str, version: int) -> dict:
    return {"type": kind, "object": {"metadata": {"resourceVersion": str(version)}}}


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (403, "Forbidden", Refused),
        (422, "Invalid", Refused),
        (401, "Unauthorized", Refused),
        (500, "", Refused),
        (429, "TooManyRequests", ApiSilent),
        (503, "ServiceUnavailable", ApiSilent),
    ],
)
def test_a_no_of_the_api_server_is_an_error_in_its_words(serving, code, reason, error):
    status = {"kind": "Status", "reason": reason, "message": "its words", "code": code}

    def answer(handler):  # one that is ready, and says so
        handler.send(b"ok") if handler.path == "/readyz" else handler.send(status, code)

    api = serving(answer)
    with pytest.raises(error) as raised:
        api.request("GET", "/api/v1/pods")
    assert type(raised.value) is error
    assert raised.value.saw == "its words"


def test_a_no_that_is_no_status_object_is_told_too(serving):
    api = serving(lambda handler: handler.send(["a proxy", "between"], 502))
    with pytest.raises(ApiSilent, match="between"):
        api.request("GET", "/api")


def test_an_api_server_that_is_gone_is_silent_within_seconds(tmp_path):
    api = Api(kubeconfig(tmp_path, "http://127.0.0.1:1"))
    begun = time.monotonic()
    with pytest.raises(ApiSilent) as raised:
        api.request("GET", "/api")
    assert time.monotonic() - begun < 5
    assert "127.0.0.1:1/api" in raised.value.saw


@pytest.mark.parametrize("content", [None, ""])
def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path, content):
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ApiSilent, match=r"(?s)kubeconfig cannot be used.*try: ./lab up"):
        Api(file).request("GET", "/api")


def test_a_token_of_the_kubeconfig_is_sent(serving, tmp_path):
    seen = []

    def answer(handler):
        seen.append(handler.headers["Authorization"])
        handler.send({})

    host = serving(answer).host
    Api(kubeconfig(tmp_path, host, token="secret")).request("GET", "/api")
    assert seen == ["Bearer secret"]


def test_warnings_of_the_api_server_are_told(serving):
    told = []
    api = serving(lambda handler: handler.send({}, Warning='299 - "would violate \\"x\\""'))
    api.request("POST", "/api/v1/pods", body={}, on_warning=told.append)
    assert told == ['would violate "x"']


def test_what_changes_things_is_sent_once(serving):
    asked = []

    def hang_up(handler):
        asked.append(handler.command)
        handler.close_connection = True

    api = serving(hang_up)
    for method, times in (("POST", 1), ("GET", 2)):
        asked.clear()
        with pytest.raises(ApiSilent):
            api.request(method, "/api", body={} if method == "POST" else None)
        assert asked == [method] * times


@pytest.mark.parametrize("name", ["..", ".", "a/b", "../../kube-system/pods", "a?b", "a#b", "a%2f"])
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_asked(serving, discovery, name):
    api = serving(lambda handler: handler.send(discovery[handler.path]))
    resource = api.resource("pods")
    with pytest.raises(LabError, match="is not a valid name"):
        resource.path("lab", name)
    with pytest.raises(LabError, match="is not a valid name"):
        resource.path(name)


def test_a_companys_proxy_is_not_asked_for_this_machine(serving, monkeypatch):
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    assert serving(lambda handler: handler.send({"a": 1})).request("GET", "/api") == {"a": 1}


def test_an_answer_that_is_cut_or_is_no_json_is_one_of_our_errors(serving):
    def cut(handler):
        handler.send({"a": 1}, **{"Content-Length": "1000"})
        handler.close_connection = True

    with pytest.raises(ApiSilent):
        serving(cut).request("POST", "/api", body={})
    with pytest.raises(ApiSilent, match="not JSON"):
        serving(lambda handler: handler.send(b"<html>")).request("GET", "/api")


def test_a_server_that_never_begins_to_answer_does_not_outlast_the_time_given(serving):
    hangs = threading.Event()
    begun = time.monotonic()
    with pytest.raises(ApiSilent):
        list(serving(lambda handler: hangs.wait(20)).lines("/log", timeout_s=0.5))
    hangs.set()
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("word", ["po", "pod", "pods", "Pod", "PODS"])
def test_a_resource_is_found_by_each_of_kubectls_words_for_it(serving, discovery, word):
    api = serving(lambda handler: handler.send(discovery[handler.path]))
    assert api.resource(word).path("lab", "x") == "/api/v1/namespaces/lab/pods/x"
    assert api.resource("deploy").api_version == "apps/v1"


def test_a_kind_without_a_singular_is_not_what_no_word_means(serving, discovery):
    group = discovery["/apis"]["items"][0]["versions"][0]
    group["resources"].append({**group["resources"][0], "resource": "pods", "singularResource": ""})
    api = serving(lambda handler: handler.send(discovery[handler.path]))
    with pytest.raises(UnknownResource):
        api.resource("")
    assert api.resource("pods").api_version == "v1"


def test_an_unknown_resource_names_what_is_near(serving, discovery):
    api = serving(lambda handler: handler.send(discovery[handler.path]))
    with pytest.raises(UnknownResource) as raised:
        api.resource("deployement")
    assert "deployment" in raised.value.saw
    with pytest.raises(UnknownResource, match="kubectl api-resources"):
        api.resource("xyzzy")


def test_a_watch_that_the_server_ends_goes_on_where_it_ended(serving):
    asked = []

    def answer(handler):
        asked.append(handler.path)
        if len(asked) == 1:
            stream(handler, event("ADDED", 5), event("BOOKMARK", 7))
        else:
            stream(handler, event("MODIFIED", 8))

    found = []
    for news in serving(answer).watch("/api/v1/pods", timeout_s=10):
        found += [news[0]] if news else []
        if len(found) == 2:
            break
    assert found == ["ADDED", "MODIFIED"]
    assert "resourceVersion" not in asked[0]
    assert "resourceVersion=7" in asked[1]


def test_a_watch_that_became_too_old_begins_anew(serving):
    asked = []

    def answer(handler):
        asked.append(handler.path)
        if len(asked) == 1:
            stream(
                handler,
                event("ADDED", 5),
                {"type": "ERROR", "object": {"code": 410, "reason": "Expired"}},
            )
        else:
            stream(handler, event("ADDED", 99))

    watch = serving(answer).watch("/api/v1/pods", timeout_s=10)
    found = [news for news in (next(watch) for _ in range(3)) if news]
    watch.close()
    assert [item["metadata"]["resourceVersion"] for _, item in found] == ["5", "99"]
    assert "resourceVersion" not in asked[1]


def test_another_error_in_a_watch_is_raised(serving):
    error = {"type": "ERROR", "object": {"code": 403, "reason": "Forbidden", "message": "no"}}
    watch = serving(lambda handler: stream(handler, error)).watch("/x", timeout_s=10)
    with pytest.raises(Refused):
        next(watch)


def test_a_quiet_stream_says_so_each_second_and_ends_in_time(serving):
    quiet = threading.Event()

    def answer(handler):
        handler.chunk(b"one\ntw")
        quiet.wait(10)
        handler.close_connection = True

    begun = time.monotonic()
    found = list(serving(answer).lines("/log", timeout_s=1.5))
    quiet.set()
    assert found[0] == "one"
    assert set(found[1:]) == {None}
    assert time.monotonic() - begun < 3


def test_a_stream_that_is_cut_is_an_error_and_what_came_before_it_is_whole(serving):
    def answer(handler):
        handler.chunk("schön\n".encode()[:4])
        handler.chunk("schön\n".encode()[4:])
        handler.close_connection = True

    lines = serving(answer).lines("/log", timeout_s=10)
    assert next(lines) == "schön"
    with pytest.raises(ApiSilent):
        next(lines)
