"""labkit/kube/pod_run.py: what to try when the client of a Pod failed."""

import pytest

from labkit.kube import pod_run, session

# httpie 3.2 and curl 8, asked for a Service that is not there
HTTPIE = (
    "http: error: ConnectionError: HTTPConnectionPool(host='olama', port=11434): Max retries"
    " exceeded with url: /api/tags (Caused by NameResolutionError: Failed to resolve 'olama' ("
    "[Errno -2] Name or service not known)) while doing a GET request to URL: http://olama:11434/api\n"
)
CURL = "curl: (6) Could not resolve host: olama\n"


@pytest.mark.parametrize(
    ("text", "services", "hint"),
    [
        (HTTPIE, ["ollama", "web"], "namespace lab: the Services are ollama, web"),
        (CURL, ["ollama"], "no Service is called olama in namespace lab"),
        (CURL, [], "there is no Service yet"),
        (CURL, ["olama"], ""),
        ("http: error: unknown option\n", ["ollama"], ""),
    ],
)
def test_a_service_that_is_not_there_is_named_with_those_that_are(
    connected, discovery, text, services, hint
):
    def answer(handler) -> None:
        path = handler.path.partition("?")[0]
        items = [{"metadata": {"name": name}} for name in services]
        handler.send(discovery.get(path) or {"items": items})

    connected(answer)
    found = pod_run._unknown_service(session.current(), text)
    assert (hint in found) if hint else found == ""


def test_services_that_cannot_be_listed_change_nothing(connected, discovery):
    def answer(handler) -> None:
        path = handler.path.partition("?")[0]
        if path in discovery:
            handler.send(discovery[path])
        else:
            handler.send({"kind": "Status", "reason": "Forbidden", "message": "no"}, 403)

    connected(answer)
    assert pod_run._unknown_service(session.current(), CURL) == ""
