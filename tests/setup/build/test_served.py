"""What registries serve: recorded outputs read, and the real clients against real answers."""

import shutil
import subprocess
import threading

import pytest

from labkit.setup.build import catalog, numbers, served

needs_go = pytest.mark.skipif(not shutil.which("go"), reason="asks Go, and none is on PATH")
CLOSED = "http://127.0.0.1:9"  # the port that nothing listens on

GO = """{
	"Versions": [
		"v1.36.3",
		"v1.37.2",
		"v1.38.0-beta.0"
	]
}
"""
GO_REFUSED = """{
	"Error": {
		"Err": "module example.org/x: reading https://proxy.example/x/@v/list: 403 Forbidden\\n\\t\
server response: This module version is not available."
	}
}
"""
GO_OFFLINE = """{
	"Error": {
		"Err": "module sigs.k8s.io/kind: Get \\"http://127.0.0.1:9/sigs.k8s.io/kind/@v/list\\": \
dial tcp 127.0.0.1:9: connect: connection refused"
	}
}
"""
GO_OFF = """{
	"Error": {
		"Err": "sigs.k8s.io/kind@latest: module lookup disabled by GOPROXY=off"
	}
}
"""
PIP = """httpx (0.28.1)
Available versions: 0.28.1, 0.28.0, 0.27.2
  INSTALLED: 0.28.0
  LATEST:    0.28.1
"""
PIP_WARNS = (
    "WARNING: pip index is currently an experimental command. "
    "It may be removed/changed in a future release without prior warning.\n"
)
PIP_NONE = f"{PIP_WARNS}ERROR: No matching distribution found for nothing-of-that-name\n"
PIP_OFFLINE = f"""{PIP_WARNS}\
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after \
connection broken by 'NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection object \
at 0x7fc89d936ed0>: Failed to establish a new connection: [Errno 111] Connection refused')': \
/simple/httpx/
ERROR: No matching distribution found for httpx
"""
APT = """haproxy:
  Installed: (none)
  Candidate: 2.6.12-1+deb12u4
  Version table:
     2.6.12-1+deb12u4 500
        500 http://deb.debian.org/debian-security bookworm-security/main amd64 Packages
     2.6.12-1+deb12u3 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
"""


def test_what_go_printed_is_read():
    told = served.module_answer("k8s.io/kubernetes", GO)
    assert (told.versions, told.why) == (("1.36.3", "1.37.2", "1.38.0-beta.0"), "")
    assert numbers.newest(map(numbers.read, told.versions)) == (1, 37, 2)


@pytest.mark.parametrize("said", [GO_OFFLINE, GO_OFF])
def test_go_without_a_network_is_offline(said):
    assert served.module_answer("sigs.k8s.io/kind", said).why == served.OFFLINE


def test_a_proxy_that_says_no_is_not_offline_and_is_quoted():
    why = served.module_answer("example.org/x", GO_REFUSED).why
    assert why == "server response: This module version is not available."


@pytest.mark.parametrize("said", ["", "{}", "go: something else"])
def test_whatever_else_go_prints_is_no_version_and_has_a_reason(said):
    told = served.module_answer("example.org/x", said)
    assert told.versions == ()
    assert told.why


def test_what_pip_printed_is_read():
    assert served.python_answer("httpx", PIP, PIP_WARNS).versions == ("0.28.1", "0.28.0", "0.27.2")


def test_pip_says_the_same_of_a_name_that_is_not_there_and_of_no_network_and_is_told_apart():
    assert served.python_answer("httpx", "", PIP_OFFLINE).why == served.OFFLINE
    why = served.python_answer("nothing", "", PIP_NONE).why
    assert why == "ERROR: No matching distribution found for nothing-of-that-name"


def test_what_apt_printed_is_read():
    assert served.debian_answer("Debian bookworm haproxy", APT).versions == ("2.6.12",)
    none = APT.replace("2.6.12-1+deb12u4\n", "(none)\n", 1)
    for said in ("", none):
        told = served.debian_answer("Debian bookworm haproxy", said)
        assert (told.versions, told.why) == ((), "apt has no such package in its lists")


def test_apt_is_asked_only_where_the_machine_is_the_release_of_the_image(tmp_path):
    file = tmp_path / "os-release"
    file.write_text('PRETTY_NAME="Debian GNU/Linux"\nID=debian\nVERSION_CODENAME=bookworm\n')
    assert served.host_suite(file) == "bookworm"
    file.write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    assert served.host_suite(file) == ""
    assert served.host_suite(tmp_path / "none") == ""
    told = served.of_debian("sarge", "haproxy")
    assert (told.why, told.versions) == ("this machine is not Debian sarge", ())


# ---- the real clients, against a registry on this machine ------------------------


@needs_go
def test_the_real_go_reads_a_real_proxy(serve, monkeypatch):
    listed = "/example.org/tool/@v/"
    info = b'{"Version":"v1.2.0","Time":"2026-01-01T00:00:00Z"}'
    url = serve(
        {
            f"{listed}list": b"v1.0.0\nv1.2.0\nv1.3.0-rc.1\n",
            f"{listed}v1.2.0.info": info,
            f"{listed}v1.2.0.mod": b"module example.org/tool\n",
        }
    )
    monkeypatch.setenv("GOPROXY", url)
    monkeypatch.setenv("GONOSUMDB", "example.org")  # which the checksum database does not know
    told = served.of_module("example.org/tool")
    assert (told.versions, told.why) == (("1.0.0", "1.2.0", "1.3.0-rc.1"), "")
    assert served.of_module("example.org/other").why.endswith("403 Forbidden")


def test_the_real_pip_reads_a_real_index_and_leaves_pre_releases_out(answering, monkeypatch):
    files = [f"tool-{version}-py3-none-any.whl" for version in ("1.0", "1.10", "1.9", "2.0rc1")]
    page = "".join(f'<a href="{file}">{file}</a>' for file in files)
    body = f"<!DOCTYPE html><body>{page}</body>".encode()
    url = answering(lambda handler: handler.send(body, **{"Content-Type": "text/html"}))
    monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
    told = served.of_python("tool")
    assert (told.versions, told.why) == (("1.10", "1.9", "1.0"), "")


@needs_go
def test_the_real_go_is_offline_where_nothing_listens(monkeypatch):
    monkeypatch.setenv("GOPROXY", CLOSED)
    assert served.of_module("sigs.k8s.io/kind").why == served.OFFLINE


def test_the_real_pip_is_offline_where_nothing_listens(monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", f"{CLOSED}/simple")
    assert served.of_python("httpx").why == served.OFFLINE


@needs_go
def test_a_proxy_that_does_not_answer_in_time_is_not_waited_for(answering, monkeypatch):
    over = threading.Event()

    def answer(handler) -> None:
        if not over.wait(60):  # a minute later it would tell
            handler.send(b"v1.0.0\n")

    monkeypatch.setenv("GOPROXY", answering(answer))
    monkeypatch.setenv("GONOSUMDB", "example.org")
    monkeypatch.setattr(served, "REQUEST_S", 2.0)
    told = served.of_module("example.org/tool")
    over.set()
    assert told.why == served.OFFLINE


def test_without_go_that_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert served.of_module("sigs.k8s.io/kind").why == "Go is not installed"


# ---- the real registries ---------------------------------------------------------


def reached(*words: str) -> bool:
    """Does the client itself, asked another question, get through?"""
    return subprocess.run(words, capture_output=True, check=False, timeout=120).returncode == 0


@needs_go
def test_the_real_proxy_tells_of_kind_or_the_answer_is_offline(monkeypatch, tmp_path):
    told = served.of_module("sigs.k8s.io/kind")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOMODCACHE", str(tmp_path))
    monkeypatch.setenv("GOFLAGS", "-modcacherw")
    if reached("go", "list", "-m", "sigs.k8s.io/kind@v0.30.0"):
        assert numbers.newest(map(numbers.read, told.versions)) >= (0, 30, 0)
    else:
        assert told.why == served.OFFLINE


def test_the_real_index_tells_of_httpx_or_the_answer_is_offline(tmp_path):
    told = served.of_python("httpx")
    words = ("-P", "-m", "pip", "download", "--no-deps", "--retries", "1", "--timeout", "5")
    if reached(served.sys.executable, *words, "--dest", str(tmp_path), "httpx==0.28.1"):
        assert "0.28.1" in told.versions
    else:
        assert told.why == served.OFFLINE


# ---- images ----------------------------------------------------------------------


def image(name: str = "prom/prometheus", tag: str = "v2.53.3") -> catalog.Image:
    return catalog.Image(name, (tag,), "x")


def test_an_images_tags_are_read_page_by_page_with_the_token_that_everybody_gets(
    answering, monkeypatch
):
    asked = []

    def answer(handler) -> None:
        asked.append(handler.path)
        path = "/v2/prom/prometheus/tags/list"
        if handler.path.startswith("/token?"):
            handler.send({"token": "for-all"})
        elif handler.headers["Authorization"] != "Bearer for-all":
            realm = f'Bearer realm="{url}/token",service="here",scope="repository:x:pull"'
            handler.send({}, 401, **{"WWW-Authenticate": realm})
        elif handler.path == path:
            link = f'<{path}?last=v2.53.3>; rel="next"'
            handler.send({"tags": ["latest", "v2.53.3", "main"]}, Link=link)
        else:
            handler.send({"tags": ["v3.5.0", "v3.6.0-rc.0", "v3.5.1-distroless"]})

    url = answering(answer)
    monkeypatch.setenv("LAB_REGISTRY", url.removeprefix("http://"))
    told = served.of_image(image())
    assert (told.versions, told.why) == (("2.53.3", "3.5.0"), "")
    assert asked[1] == "/token?service=here&scope=repository%3Ax%3Apull"


def test_a_registry_that_says_no_is_told_from_one_that_is_not_there(serve, monkeypatch):
    monkeypatch.setenv("LAB_REGISTRY", serve({}).removeprefix("http://"))
    assert served.of_image(image()).why == "HTTP 403"
    monkeypatch.setenv("LAB_REGISTRY", CLOSED.removeprefix("http://"))
    assert served.of_image(image()).why == served.OFFLINE


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"errors": []}', b'{"tags": null}'])
def test_what_is_no_list_of_tags_is_no_version(serve, monkeypatch, body):
    url = serve({"/v2/prom/prometheus/tags/list": body})
    monkeypatch.setenv("LAB_REGISTRY", url.removeprefix("http://"))
    assert served.of_image(image()).versions == ()


@pytest.mark.parametrize(
    ("name", "registry", "told"),
    [
        ("prom/prometheus", "", "https://registry-1.docker.io"),
        ("registry", "", "https://registry-1.docker.io"),
        ("registry.k8s.io/pause", "", "https://registry.k8s.io"),
        ("registry.k8s.io/pause", "cache.school:5000", "https://cache.school:5000"),
        ("registry", "127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_an_image_is_asked_for_where_a_pull_asks(monkeypatch, name, registry, told):
    monkeypatch.setenv("LAB_REGISTRY", registry)
    assert served._registry(image(name)) == told
