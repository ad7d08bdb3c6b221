"""The one HTTP client: proxies of the environment, whom it trusts, what it never asks."""

import socket
import ssl
import threading

import httpx
import pytest

from labkit.setup.host import web
from tests import away

OUTSIDE = "http://registry.test"  # a name that no resolver has


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def proxy(answering) -> tuple[str, list[str]]:
    """A proxy that answers 200 itself, and what it was asked for."""
    asked: list[str] = []

    def answer(handler) -> None:
        asked.append(handler.path)
        handler.send({})

    return answering(answer), asked


@pytest.mark.parametrize("path", ["/v2/", "/nothing"])
def test_the_status_is_told_whatever_it_is(serve, path):
    url = serve({"/v2/": b"{}"}) + path
    assert web.status(url) == {"/v2/": 200, "/nothing": 403}[path]


def test_who_is_not_there_or_speaks_no_http_has_none():
    assert web.status("http://127.0.0.1:9/") == web.status("http://[") == web.status("x") == 0
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet():
            with listener.accept()[0] as connection:
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert web.status(f"http://127.0.0.1:{listener.getsockname()[1]}/") == 0
        thread.join()


def test_a_redirect_is_followed(answering):
    def answer(handler) -> None:
        if handler.path == "/":
            handler.send(b"", 302, Location="/there")
        else:
            handler.send(b"", 200 if handler.path == "/there" else 403)

    assert web.status(answering(answer) + "/") == 200


def test_nothing_is_compressed_on_the_way(answering):
    asked = []

    def answer(handler) -> None:
        asked.append(handler.headers["Accept-Encoding"])
        handler.send(b"")

    web.status(answering(answer))
    assert asked == ["identity"]


@pytest.mark.parametrize("form", ["{}", "{}/"])
@pytest.mark.parametrize("name", ["http_proxy", "HTTPS_PROXY", "http_proxy without a scheme"])
def test_the_world_outside_is_asked_through_the_environments_proxy(monkeypatch, proxy, name, form):
    address, asked = proxy
    address = form.format(address)
    name, _, is_bare = name.partition(" ")
    monkeypatch.setenv(name, address.removeprefix("http://") if is_bare else address)
    if name == "HTTPS_PROXY":  # it sends CONNECT, which this proxy does not know
        assert web.status("https://registry.test/v2/") == 0
        assert web.status(f"{OUTSIDE}/v2/") == 0
        assert asked == []
    else:
        assert web.status(f"{OUTSIDE}/v2/") == 200
        assert asked == [f"{OUTSIDE}/v2/"]


@pytest.mark.parametrize("host", web.HERE)
def test_this_machine_is_never_asked_through_a_proxy(monkeypatch, proxy, host):
    address, asked = proxy
    monkeypatch.setenv("http_proxy", address)
    url = f"http://[{host}]:9/" if ":" in host else f"http://{host}:9/"
    assert web.status(url) == 0
    assert asked == []


def test_what_no_proxy_names_is_asked_without(monkeypatch, proxy):
    address, asked = proxy
    monkeypatch.setenv("http_proxy", address)
    monkeypatch.setenv("no_proxy", "other.example, .test")
    assert web.status(f"{OUTSIDE}/v2/") == 0
    assert asked == []


def test_a_redirect_to_this_machine_leaves_the_proxy(monkeypatch, answering, serve):
    here = serve({"/there": b"here"})
    monkeypatch.setenv(
        "http_proxy", answering(lambda h: h.send(b"", 302, Location=f"{here}/there"))
    )
    with web.client(5) as client:
        assert client.get(f"{OUTSIDE}/").text == "here"


def test_a_socks_proxy_for_all_is_not_what_this_client_can_use_and_is_no_obstacle(
    monkeypatch, proxy
):
    address, asked = proxy
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", address)
    assert web.status(f"{OUTSIDE}/") == 200
    assert len(asked) == 1


@pytest.mark.parametrize("kind", ["socks5", "ftp"])
def test_a_proxy_of_an_unknown_kind_is_an_error_of_the_client(monkeypatch, kind):
    monkeypatch.setenv("http_proxy", f"{kind}://127.0.0.1:9")
    with web.client(5) as client, pytest.raises(httpx.ProxyError):
        client.get(f"{OUTSIDE}/")


def test_whom_the_machine_trusts_is_trusted_and_no_other(monkeypatch, tmp_path):
    certificate, key = away.certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with away.away("503", times=0, tls=context) as server:
        assert web.status(server.url) == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # where OpenSSL looks
        assert web.status(server.url) > 0
