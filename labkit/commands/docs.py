"""`./lab docs`: builds the documentation site, and serves it on this machine until Ctrl-C."""

from __future__ import annotations

import errno
import functools
import http.server
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from labkit.errors import BuildFailed, PortTaken, ToolMissing, Unsupported
from labkit.setup.host import paths, shell, speed

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "mkdocs.yml"
PORT = 8010
BUILD_S = 120.0  # the limit on the reference machine; it takes about 10 s there
_TOOLS = ("mkdocs", "material", "mkdocstrings", "mkdocstrings_handlers")


def command(port: int, site_dir: str) -> int:
    """Build the site into `site_dir` and end, or serve it on `port`; its exit code."""
    check_tools()
    if site_dir:
        folder = Path(site_dir).expanduser().absolute()
        _require_no_others(folder)
        build(folder)
        print(f"The site is in {site_dir}: index.html is its first page, on a web server")
        return 0
    with _ends_by_signals(), _server(port) as server, paths.temporary("site") as folder:
        print("Building the site (about 10 s) …", flush=True)
        build(folder / "html")
        server.RequestHandlerClass = functools.partial(_Pages, directory=str(folder / "html"))
        where = f"http://127.0.0.1:{server.server_port}/"
        print(f"Open this in a browser: {where}\nCtrl-C ends it.", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("\nStopped.")
    return 0


def check_tools() -> None:
    """Raise Unsupported outside of a clone, ToolMissing without what builds the site."""
    if not CONFIG.exists():
        raise Unsupported(
            "the documentation is not here", f"no file {CONFIG}", "./lab docs in a clone of labkit"
        )
    missing = [name for name in _TOOLS if not find_spec(name)]
    if missing:
        lock = "--no-deps --require-hashes --requirement requirements-test.txt"
        raise ToolMissing(
            "the site is built by mkdocs-material, which the lessons do not need",
            f"{sys.executable} has no module {' '.join(missing)}",
            f"{sys.executable} -m pip install {lock} # then ./lab docs again",
        )


def _require_no_others(folder: Path) -> None:
    """Raise Unsupported for a folder with files of others: mkdocs empties it before it builds."""
    is_site = (folder / "search" / "search_index.json").is_file()
    if folder.exists() and not is_site and (not folder.is_dir() or any(folder.iterdir())):
        raise Unsupported(
            "the site is built into a new folder, an empty one or an earlier site",
            f"{folder} has other files, and building deletes what is in the folder",
            "./lab docs --site-dir with another folder",
        )


def build(folder: Path) -> None:
    """Build the site into this folder; raise BuildFailed, for a link that leads nowhere too."""
    # not --quiet: with it, mkdocs counts no warning, and --strict finds nothing
    words = ["build", "--strict", "--config-file", CONFIG, "--site-dir", folder]
    log = paths.log_file("docs")
    done = shell.run(
        *(sys.executable, "-P", "-m", "mkdocs", *words),
        timeout_s=speed.deadline(BUILD_S),
        log=log,
        env={"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "true"},
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        text = log.read_text(errors="replace")
        found = [line for line in text.splitlines() if line.startswith(("WARNING", "ERROR"))]
        raise BuildFailed(
            "the documentation site was not built",
            " ".join((found or [shell.last_line(text)])[0].split()),
            "fix that page, then ./lab docs again",
            log=log,
        )


@contextmanager
def _server(port: int) -> Iterator[http.server.ThreadingHTTPServer]:
    """Hold the port from here on, so that a taken one is reported before the site is built."""
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Pages)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        other = PORT + 1 if port == PORT else PORT
        raise PortTaken(
            f"the site cannot be served on port {port}",
            f"127.0.0.1:{port}: {error.strerror}",
            f"./lab docs --port {other}",
        ) from None
    with server:
        yield server


@contextmanager
def _ends_by_signals() -> Iterator[None]:
    """While the block runs, SIGTERM ends it as Ctrl-C does, so that its folder is removed."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    # SIGINT too: a shell starts what runs in its background with this one ignored
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, end) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Pages(http.server.SimpleHTTPRequestHandler):
    """The files of the site; a request is not logged, and an unknown path gets the site's 404."""

    extensions_map: ClassVar[dict[str, str]] = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".txt": "text/plain; charset=utf-8",
    }

    def log_message(self, *_: object) -> None:
        return

    def send_error(self, code: int, *words: Any, **more: Any) -> None:
        page = Path(self.directory, "404.html")
        if code != 404 or not page.exists():
            return super().send_error(code, *words, **more)
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        return None
