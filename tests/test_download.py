"""Downloads against a real web server on this machine."""

import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from labkit.bringup import download
from labkit.errors import ChecksumWrong, DownloadFailed

CONTENT = b"a release\n" * 1000
RIGHT = hashlib.sha256(CONTENT).hexdigest()


class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/kind":
            self._answer(CONTENT)
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:100])
        elif self.path == "/right.sha256sum":
            self._answer(f"{RIGHT}  kind-linux-amd64\n".encode())
        elif self.path == "/wrong.sha256sum":
            self._answer(("0" * 64 + "  kind\n").encode())
        elif self.path == "/page.sha256sum":
            self._answer(b"<html>please log in</html>")
        else:
            self.send_error(403)

    def _answer(self, body: bytes):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        return


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{web.server_port}"
        web.shutdown()
        thread.join()


def left(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_a_file_with_the_pinned_checksum_arrives_whole(server, tmp_path):
    assert download.fetch(f"{server}/kind", tmp_path / "kind", sha256=RIGHT) == RIGHT
    assert (tmp_path / "kind").read_bytes() == CONTENT
    assert left(tmp_path) == ["kind"]


def test_without_a_pin_the_publishers_checksum_counts(server, tmp_path):
    publisher = f"{server}/right.sha256sum"
    assert download.fetch(f"{server}/kind", tmp_path / "kind", publisher=publisher) == RIGHT


@pytest.mark.parametrize(
    "options",
    [{"sha256": "0" * 64}, {"publisher": "/wrong.sha256sum"}],
    ids=["pinned", "publisher"],
)
def test_a_wrong_checksum_leaves_no_file(server, tmp_path, options):
    if "publisher" in options:
        options = {"publisher": server + options["publisher"]}
    with pytest.raises(ChecksumWrong) as error:
        download.fetch(f"{server}/kind", tmp_path / "kind", **options)
    assert f"sha256 {RIGHT}, wanted {'0' * 64}" in str(error.value)
    assert left(tmp_path) == []


def test_a_login_page_in_place_of_a_checksum_is_refused(server, tmp_path):
    with pytest.raises(DownloadFailed, match="holds no checksum"):
        download.fetch(f"{server}/kind", tmp_path / "kind", publisher=f"{server}/page.sha256sum")
    assert left(tmp_path) == []


def test_a_refusal_names_the_status_and_the_other_route(server, tmp_path):
    with pytest.raises(DownloadFailed) as error:
        download.fetch(f"{server}/nothing", tmp_path / "kind")
    assert "saw: HTTP 403" in str(error.value)
    assert "--route packages" in str(error.value)


def test_a_download_that_is_cut_leaves_no_file(server, tmp_path):
    with pytest.raises(ChecksumWrong):
        download.fetch(f"{server}/cut", tmp_path / "kind", sha256=RIGHT)
    assert left(tmp_path) == []


def test_a_server_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1:9"):
        download.fetch("http://127.0.0.1:9/kind", tmp_path / "kind")
