"""Downloads against a real web server on this machine."""

import hashlib
import socket
import threading
from pathlib import Path

import pytest

from labkit.errors import ChecksumWrong, DownloadFailed
from labkit.setup.host import download

CONTENT = b"a release\n" * 1000
RIGHT = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(serve) -> str:
    return serve(
        {
            "/kind": CONTENT,
            "/cut": CONTENT,
            "/right.sha256sum": f"{RIGHT}  kind-linux-amd64\n".encode(),
            "/wrong.sha256sum": b"0" * 64 + b"  kind\n",
            "/page.sha256sum": b"<html>please log in</html>",
        }
    )


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


def test_a_download_that_is_cut_leaves_no_file_and_the_old_one_whole(server, tmp_path):
    (tmp_path / "kind").write_bytes(b"old")
    with pytest.raises(DownloadFailed, match="cut after 100 of 10000 bytes"):
        download.fetch(f"{server}/cut", tmp_path / "kind")
    assert left(tmp_path) == ["kind"]
    assert (tmp_path / "kind").read_bytes() == b"old"


def test_a_program_that_speaks_no_http_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/kind"

        def greet():
            with listener.accept()[0] as connection:
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(DownloadFailed):
            download.fetch(url, tmp_path / "kind")
        thread.join()


def test_on_a_full_disk_no_half_file_stays(serve, small_disk):
    url = serve({"/big": b"x" * 25 * 2**20}) + "/big"
    with pytest.raises(OSError, match="No space left"):
        download.fetch(url, small_disk / "kind")
    assert left(small_disk) == []


def test_a_file_of_this_machine_is_taken_from_there(tmp_path):
    (tmp_path / "a release").write_bytes(CONTENT)
    url = (tmp_path / "a release").as_uri()
    assert download.fetch(url, tmp_path / "kind", sha256=RIGHT) == RIGHT
    with pytest.raises(DownloadFailed, match="No such file"):
        download.fetch(f"{url}s", tmp_path / "kind")


def test_a_redirect_to_a_file_of_this_machine_is_not_followed(answering, tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    url = (tmp_path / "secret").as_uri()
    server = answering(lambda handler: handler.send(b"", 302, Location=url))
    with pytest.raises(DownloadFailed):
        download.fetch(f"{server}/kind", tmp_path / "kind")


def test_a_server_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1:9"):
        download.fetch("http://127.0.0.1:9/kind", tmp_path / "kind")
