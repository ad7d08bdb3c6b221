"""`./lab bundle serve`: one file, to laptops that have the code, some at a time, each continued."""

import http.client
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from dataclasses import replace

import pytest

from labkit.bundle import fetch, layout, serve, source
from labkit.errors import BundleUnreadable, PortTaken, Unsupported
from labkit.setup.host import speed


@pytest.fixture
def server(file):
    running = serve.Server(file, "127.0.0.1", 0, at_once=2)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


def asked(server, method="GET", path="", **headers) -> tuple[int, dict[str, str], bytes]:
    line = http.client.HTTPConnection(*server.server_address[:2], timeout=10)
    headers = {"Authorization": f"Bearer {server.code}", **headers}
    line.request(method, path or f"/{server.file.name}", headers=headers)
    answer = line.getresponse()
    found = answer.status, dict(answer.headers), answer.read()
    line.close()
    return found


def ended(server) -> list[tuple[str, float, str]]:
    """The rows when no answer is running: a client has the last byte before it is counted."""
    end = time.monotonic() + speed.deadline(60)
    while any(one.running for one in server.laptops.values()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return server.rows()


def test_a_laptop_with_the_code_gets_every_part(server, opened):
    bundle = source.opened(server.url, server.code)
    for part in bundle.contents.parts:
        assert fetch.part(bundle, part).read_bytes() == b"".join(opened.chunks(part))
    ((name, share, said),) = ended(server)
    assert name == "127.0.0.1"
    assert 0.5 < share <= 1.1
    assert said.endswith("idle")


@pytest.mark.parametrize("code", ["", "another"])
def test_without_the_code_nothing_is_sent(server, code):
    with pytest.raises(BundleUnreadable) as caught:
        source.opened(server.url, code)
    assert "401" in caught.value.saw
    assert server.rows() == []


@pytest.mark.parametrize("path", ["/", "/../../etc/passwd", "/other.lab", "//etc/passwd"])
def test_there_is_one_file(server, path):
    assert asked(server, path=path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_can_only_be_read(server, method):
    assert asked(server, method)[0] == 501


def test_a_range_is_what_was_asked_for(server, file):
    status, headers, data = asked(server, Range="bytes=5-9")
    assert (status, data) == (206, file.read_bytes()[5:10])
    assert headers["Content-Range"] == f"bytes 5-9/{file.stat().st_size}"
    assert asked(server, Range=f"bytes={file.stat().st_size}-")[0] == 416
    status, headers, data = asked(server, "HEAD")
    assert (status, headers["Content-Length"], data) == (200, str(file.stat().st_size), b"")


def test_when_all_places_are_taken_a_laptop_waits_and_then_gets_it(server, opened, monkeypatch):
    monkeypatch.setattr(serve, "WAIT_S", 0)
    taken = [server.places.acquire(blocking=False) for _ in range(3)]
    assert taken == [True, True, False]
    assert asked(server)[0] == 503
    free = threading.Timer(0.3, server.places.release)
    free.start()
    begun = time.monotonic()
    assert source.opened(server.url, server.code).contents == opened.contents
    assert time.monotonic() - begun >= 0.25
    free.join()


def test_a_place_is_free_again_when_a_laptop_goes_away(server, file):
    for _ in range(4):
        with socket.create_connection(server.server_address[:2]) as line:
            head = f"GET /{file.name} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.code}"
            line.sendall(f"{head}\r\n\r\n".encode())
            line.recv(10)
    end = time.monotonic() + speed.deadline(60)
    while asked(server)[0] != 200:
        assert time.monotonic() < end


def test_a_port_that_is_taken_is_said_so(server, file):
    with pytest.raises(PortTaken):
        serve.Server(file, "127.0.0.1", server.server_address[1])


def test_an_address_of_another_machine_is_a_clear_no(file):
    with pytest.raises(Unsupported) as caught:
        serve.Server(file, "192.0.2.1", 0)
    assert "hostname -I" in caught.value.hint


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "0", "::ffff:0.0.0.0"])
def test_an_address_that_no_laptop_can_reach_is_a_clear_no(file, address):
    with pytest.raises(Unsupported) as caught:
        serve.Server(file, address, 0)
    assert "hostname -I" in caught.value.hint


def test_no_name_is_looked_up_at_the_start(file, monkeypatch):
    def looked_up(*_):
        raise AssertionError("a room may have no DNS")

    monkeypatch.setattr(socket, "getfqdn", looked_up)
    monkeypatch.setattr(socket, "gethostbyaddr", looked_up)
    with serve.Server(file, "127.0.0.1", 0) as server:
        assert (server.server_name, server.server_port) == server.server_address


@pytest.mark.parametrize("name", ["my workshop.lab", "50% #1?.lab", "räume.lab"])
def test_a_file_of_any_name_is_served(file, name, tmp_path, opened):
    named = tmp_path / name
    shutil.copy(file, named)
    with serve.Server(named, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            assert source.opened(server.url, server.code).contents == opened.contents
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_line_that_it_prints_unpacks_the_project_alone(server, file, opened, tmp_path):
    project = tmp_path / "labkit.tar.gz"
    with tarfile.open(file) as tar:
        project.write_bytes(tar.extractfile(layout.PROJECT).read())
    served = replace(opened, where=server.url, source=source.Web(server.url, server.code))
    line = source.how_to_unpack(served).removesuffix("| tar -xz") + "| cat"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == project.read_bytes()
    ((_, _, said),) = ended(server)
    assert server.laptops["127.0.0.1"].sent == opened.places[layout.PROJECT].end, said
