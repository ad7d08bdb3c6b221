"""setup/cluster/outage.py, through the real Api, against a server of our own that fails at will."""

import gc
import itertools
import json
import ssl
import time

import pytest

from labkit.errors import ApiSilent, KubeconfigWrong, Refused
from labkit.kube import client
from labkit.kube.client import Api
from labkit.setup.cluster.outage import asked_again
from tests import away as failing
from tests.away import IN_HANDSHAKE, LOST, NOTHING_DONE, UNSENT, away

PLAIN = [(way, False) for way in (*UNSENT, *NOTHING_DONE, *LOST)]
TLS = [(way, True) for way in (*UNSENT, *IN_HANDSHAKE, *LOST, "503")]
# CPython's SSLSocket leaves a socket open that is reset before its handshake begins
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
LONG_S = 60.0  # for what is done at once, however slow the machine is


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    return failing.certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pem)
    return context


@pytest.fixture
def api(tmp_path, pem):
    """`api(url)`: one that trusts the certificate, or another one's."""
    made = []

    def connect(url: str, authority=pem[0]) -> Api:
        cluster = {"server": url, "certificate-authority": str(authority)}
        config = {
            "clusters": [{"name": "x", "cluster": cluster}],
            "users": [{"name": "x", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "current-context": "x",
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(config))
        made.append(Api(file))
        return made[-1]

    yield connect
    for one in made:
        one._client.rest_client.pool_manager.clear()
    gc.collect()  # here, where the filter below is in force


def soon(act, **options):
    return asked_again(act, time.monotonic() + LONG_S, **options)


@pytest.mark.parametrize(("way", "is_tls"), PLAIN + TLS)
def test_a_question_is_asked_again_until_it_is_answered(api, tls, way, is_tls):
    with away(way, tls=tls if is_tls else None) as server:
        asked = api(server.url)
        assert soon(lambda: asked.request("GET", "/api/v1/pods")) == {"a": 1}
        assert server.left == 0


@pytest.mark.parametrize(("way", "is_tls"), PLAIN + TLS)
def test_a_change_is_sent_again_only_where_it_cannot_have_been_made(api, tls, way, is_tls):
    with away(way, tls=tls if is_tls else None) as server:
        asked = api(server.url)

        def change():
            return asked.request("POST", "/api/v1/pods", body={"kind": "Pod"})

        # without TLS what was written to a connection that ends may have been read before that
        if way in LOST or (way in ("reset", "eof") and not is_tls):
            with pytest.raises(ApiSilent) as raised:
                soon(change)
            assert raised.value.maybe_done
        else:
            assert soon(change) == {"a": 1}
        assert server.done == ([] if way in ("reset", "eof") and not is_tls else ["POST"])


@pytest.mark.parametrize("way", LOST)
def test_a_change_that_may_be_made_twice_is_sent_until_it_is_answered(api, way):
    with away(way) as server:
        asked = api(server.url)
        path = "/api/v1/namespaces/lab/pods/x"
        assert soon(lambda: asked.request("DELETE", path, body={}), repeatable=True) == {"a": 1}
        assert server.done == ["DELETE"] * 4


@pytest.mark.parametrize("way", LOST)
def test_a_change_that_is_only_tried_is_a_question(api, way):
    with away(way) as server:
        asked = api(server.url)
        query = {"dryRun": "All"}
        assert soon(lambda: asked.request("POST", "/x", query=query, body={})) == {"a": 1}


@pytest.mark.parametrize("way", ["401", "403"])
@pytest.mark.parametrize("known", [True, False])
def test_one_that_has_not_read_its_roles_refuses_to_say_whether_it_is_ready(
    api, monkeypatch, way, known
):
    monkeypatch.setattr(client, "REFUSED_S", 0.0 if known else LONG_S)
    with away(way, not_ready=int(way)) as server:
        asked = api(server.url)
        if known:  # it has said so before: then this is no answer, however long it lasts
            server.left = 0
            assert asked.ready()
            server.left = 3
        assert soon(lambda: asked.request("GET", "/api/v1/pods")) == {"a": 1}


def test_who_is_never_let_ask_whether_it_is_ready_hears_a_refusal_soon(api, monkeypatch):
    monkeypatch.setattr(client, "REFUSED_S", 0.5)
    with away("403", times=10**6, not_ready=403) as server:
        asked = api(server.url)
        with pytest.raises(Refused, match="no RBAC policy matched"):
            soon(lambda: asked.request("GET", "/api/v1/pods"))
        with pytest.raises(Refused):  # and the next one at once
            asked.request("GET", "/api/v1/pods")


@pytest.mark.parametrize("way", ["refused", "eof in handshake", "eof in body", "403", "429"])
def test_one_that_never_comes_back_is_told_at_the_deadline(api, tls, way):
    context = tls if way in IN_HANDSHAKE else None
    with away(way, tls=context, times=10**6, refuse_s=LONG_S) as server:
        asked = api(server.url)
        begun = time.monotonic()
        with pytest.raises(ApiSilent) as raised:
            asked_again(lambda: asked.request("GET", "/api/v1/pods"), begun + 2.5)
        assert time.monotonic() - begun >= 2.4
    happened, saw, hint = str(raised.value).splitlines()
    assert happened.startswith("ApiSilent: the API server ")
    seconds = int(happened.rpartition(", asked again for ")[2].removesuffix(" s"))
    assert seconds >= 2
    seen = {"refused": "refused", "eof in handshake": "EOF", "eof in body": "read"}
    assert {**seen, "403": "not yet", "429": "it is shutting down"}[way] in saw
    assert "./lab status" in hint


def test_it_is_left_alone_for_as_long_as_it_asks_for(api):
    with away("429", times=2) as server:
        asked = api(server.url)
        begun = time.monotonic()
        soon(lambda: asked.request("GET", "/api"))
        assert time.monotonic() - begun >= 2  # twice Retry-After: 1


@pytest.mark.parametrize("code", [401, 403])
def test_a_real_no_is_told_at_once(api, answering, code):
    said = {"kind": "Status", "message": "you may not", "code": code}
    paths = []

    def answer(handler):
        paths.append(handler.path)
        handler.send(b"ok") if handler.path == "/readyz" else handler.send(said, code)

    asked = api(answering(answer))
    with pytest.raises(Refused, match="you may not"):
        soon(lambda: asked.request("GET", "/api"))
    # once more: it may have become ready between its no and its word that it is
    assert paths == ["/api", "/readyz", "/api"]


def test_one_that_becomes_ready_after_its_no_is_asked_once_more(api, answering):
    answers = itertools.count()

    def answer(handler):
        if handler.path == "/readyz":
            handler.send(b"ok")
        else:
            handler.send({"a": 1}, 200 if next(answers) else 403)

    assert api(answering(answer)).request("GET", "/api") == {"a": 1}


def test_whether_it_is_ready_is_asked_without_the_token_that_it_cannot_judge(api, answering):
    tokens = {}

    def answer(handler):
        tokens[handler.path] = handler.headers["Authorization"]
        handler.send({}, 200 if handler.path == "/readyz" else 401)

    asked = api(answering(answer))
    asked.configuration.api_key["authorization"] = "Bearer secret"
    with pytest.raises(Refused):
        asked.request("GET", "/api")
    assert tokens == {"/api": "Bearer secret", "/readyz": None}


def test_a_misspelt_field_is_no_outage(api, answering):
    said = {"kind": "Status", "message": "field not declared in schema", "code": 500}
    asked = api(answering(lambda handler: handler.send(said, 500)))
    with pytest.raises(Refused, match="not declared"):
        soon(lambda: asked.request("PATCH", "/api", body={}))


def test_the_certificate_of_another_server_is_said_at_once(api, tls, tmp_path):
    other = failing.certificate(tmp_path)[0]
    with away("", tls=tls) as server:
        asked = api(server.url, other)
        with pytest.raises(KubeconfigWrong, match=r"(?s)CERTIFICATE_VERIFY.*try: ./lab up"):
            soon(lambda: asked.request("GET", "/api"))


def test_a_kubeconfig_that_is_not_there_is_said_at_once(tmp_path):
    with pytest.raises(KubeconfigWrong):
        soon(lambda: Api(tmp_path / "none").request("GET", "/api"))


def test_who_waits_is_told_so(api, capsys):
    with away("503") as server:
        asked = api(server.url)
        soon(lambda: asked.request("GET", "/api"))
    told = capsys.readouterr().out
    assert "the API server cannot answer now, 0 s of 60 s; once more; ./lab status" in told
    assert "✓ the API server answers again, after " in told
