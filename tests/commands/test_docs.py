"""commands/docs.py: what is served, and what is reported when it cannot be."""

import contextlib
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from labkit.commands import docs
from labkit.commands.main import main
from labkit.commands.parser import parser
from labkit.setup.host import paths, speed


def test_outside_of_a_clone_three_lines_say_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(docs, "CONFIG", tmp_path / "mkdocs.yml")
    assert main(["docs"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "Unsupported: the documentation is not here",
        f"saw: no file {tmp_path / 'mkdocs.yml'}",
        "try: ./lab docs in a clone of labkit",
    ]


def test_without_its_tools_the_third_line_adds_them(monkeypatch, capsys):
    monkeypatch.setattr(docs, "find_spec", lambda name: name != "material")
    assert main(["docs"]) != 0
    happened, saw, hint = capsys.readouterr().err.splitlines()
    assert happened.startswith("ToolMissing: the site is built by mkdocs-material")
    assert saw.endswith("has no module material")
    assert "-m pip install --no-deps --require-hashes --requirement requirements-test.txt" in hint
    assert (docs.ROOT / "requirements-test.txt").exists()


@pytest.mark.parametrize("other", ["thesis.txt", "folder"])
def test_a_folder_with_files_of_others_is_left_alone(monkeypatch, tmp_path, capsys, other):
    monkeypatch.setattr(docs, "build", lambda folder: pytest.fail("it was built"))
    (tmp_path / other).mkdir() if other == "folder" else (tmp_path / other).write_text("mine")
    assert main(["docs", "--site-dir", str(tmp_path)]) == 2
    assert "another folder" in capsys.readouterr().err
    assert (tmp_path / other).exists()


def test_an_earlier_site_is_built_again(monkeypatch, tmp_path):
    built = []
    monkeypatch.setattr(docs, "build", built.append)
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "search_index.json").touch()
    for folder in (tmp_path, tmp_path / "new"):
        assert main(["docs", "--site-dir", str(folder)]) == 0
    assert built == [tmp_path, tmp_path / "new"]


def test_a_port_that_is_taken_is_reported_before_the_site_is_built(monkeypatch, capsys):
    monkeypatch.setattr(docs, "build", lambda folder: pytest.fail("it was built"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["docs", "--port", str(port)]) != 0
    assert capsys.readouterr().err.splitlines() == [
        f"PortTaken: the site cannot be served on port {port}",
        f"saw: 127.0.0.1:{port}: Address already in use",
        f"try: ./lab docs --port {docs.PORT}",
    ]


def test_the_port_that_the_parser_names_is_the_one_that_is_served():
    assert parser().parse_args(["docs"]).port == docs.PORT


@pytest.mark.parametrize("port", ["x", "-1", "65536"])
def test_a_port_that_cannot_be_is_refused(port, capsys):
    assert main(["docs", f"--port={port}"]) == 2
    assert f"{port!r} is not a port" in capsys.readouterr().err


SERVED = """if True:
    import sys
    from labkit.commands import docs, main
    def build(folder):
        folder.mkdir()
        (folder / "index.html").write_text("the first page")
        (folder / "404.html").write_text("not in this site")
        (folder / "LICENSE.txt").write_text("Apache")
    docs.build = build
    sys.exit(main.main(["docs", "--port", "0"]))
"""


@contextlib.contextmanager
def served():
    words = [sys.executable, "-u", "-P", "-c", SERVED]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as process:
        try:
            lines = [process.stdout.readline() for _ in range(2)]
            yield process, re.search(r"http://127\.0\.0\.1:\d+/", lines[1])[0]
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted_and_leaves_nothing(number):
    with served() as (process, url):
        assert httpx.get(url).text == "the first page"
        licence = httpx.get(f"{url}LICENSE.txt")
        assert licence.headers["Content-Type"] == "text/plain; charset=utf-8"
        nowhere = httpx.get(f"{url}nowhere/")
        assert (nowhere.status_code, nowhere.text) == (404, "not in this site")
        process.send_signal(number)
        out, err = process.communicate(timeout=speed.deadline(10))
    assert (process.returncode, err) == (0, "")
    assert out.endswith("\nStopped.\n")
    assert list(paths.cache("tmp").iterdir()) == []
