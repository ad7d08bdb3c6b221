"""Which versions the registries serve, asked with their ordinary clients; each request bounded.

Nothing is downloaded but lists. No answer and a rejection are different results.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx

from labkit.errors import LabError, TimedOut
from labkit.setup.build import catalog, go, numbers, route
from labkit.setup.host import paths, shell, web

REQUEST_S = 30.0
CONNECT_S = 5.0
HUB = "registry-1.docker.io"
PAGES = 50  # of an image's tags
OFFLINE = "offline"
# what Go and pip say of a network that is not there; whatever else they say, a registry said
_NETWORK = re.compile(
    r"dial tcp|no such host|i/o timeout|connection refused|connection reset|handshake timeout"
    r"|network is unreachable|proxyconnect|module lookup disabled|context deadline|: EOF"
    r"|connection broken|Max retries exceeded|NameResolution|timed out",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Answer:
    """The versions that one registry has of one thing, or `why` it did not tell them."""

    asked: str  # "Go module sigs.k8s.io/kind"
    versions: tuple[str, ...] = ()  # as the publisher writes them, pre-releases among them
    why: str = ""  # empty: it told
    local: bool = False  # from a list on this machine, as of when it was last brought up to date


def _no(asked: str, error: LabError) -> Answer:
    offline = isinstance(error, TimedOut) or _NETWORK.search(error.saw)
    return Answer(asked, why=OFFLINE if offline else error.saw)


# ---- Go modules ----------------------------------------------------------------


def of_module(module: str) -> Answer:
    """The versions of a Go module that its proxy lists."""
    asked = f"Go module {module}"
    # of this machine's Go, whatever version; outside of any module, which has settings of its own
    env = {**go.environment(), "GOTOOLCHAIN": "local", "GOWORK": "off"}
    words = ("go", "list", "-m", "-e", "-versions", "-json=Versions,Error", module)
    if not shutil.which("go"):
        return Answer(asked, why="Go is not installed")
    try:
        with paths.temporary("versions") as folder:
            said = shell.output(*words, env=env, cwd=folder, timeout_s=REQUEST_S)
    except LabError as error:
        return _no(asked, error)
    return module_answer(module, said)


def module_answer(module: str, said: str) -> Answer:
    """What `go list -m -e -versions -json` printed, read."""
    asked = f"Go module {module}"
    try:
        told = json.loads(said)
    except ValueError:
        return Answer(asked, why=f"no JSON: {shell.last_line(said)}")
    error = told.get("Error", {}).get("Err", "")
    if _NETWORK.search(error):
        return Answer(asked, why=OFFLINE)
    versions = tuple(numbers.of_module(module, v) for v in told.get("Versions", ()))
    if not versions:
        return Answer(asked, why=shell.last_line(error) if error else "it lists no version")
    return Answer(asked, versions)


# ---- Python packages -----------------------------------------------------------


def of_python(name: str) -> Answer:
    """The versions of a Python package that fit this Python; pip leaves pre-releases out."""
    words = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-color"]
    words += ["index", "versions", "--retries", "1", "--timeout", f"{CONNECT_S:.0f}", name]
    try:
        done = shell.run(*words, timeout_s=REQUEST_S, check=False)
    except LabError as error:
        return _no(f"PyPI {name}", error)
    return python_answer(name, done.stdout, done.stderr)


def python_answer(name: str, said: str, warned: str) -> Answer:
    """What `pip index versions` printed, read."""
    listed = re.search(r"^Available versions: (.*)$", said, re.MULTILINE)
    if listed:
        return Answer(f"PyPI {name}", tuple(listed[1].split(", ")))
    # offline too it ends with "No matching distribution found"
    why = OFFLINE if _NETWORK.search(warned) else shell.last_line(warned)
    return Answer(f"PyPI {name}", why=why)


# ---- Debian packages -----------------------------------------------------------


def host_suite(file: Path = Path("/etc/os-release")) -> str:
    """The name of this machine's Debian release, "bookworm"; empty on another system."""
    try:
        told = platform.freedesktop_os_release() if file == Path("/etc/os-release") else _read(file)
    except OSError:
        return ""
    return told.get("VERSION_CODENAME", "") if told.get("ID") == "debian" else ""


def _read(file: Path) -> dict[str, str]:
    lines = [line.partition("=") for line in file.read_text().splitlines()]
    return {name: value.strip('"') for name, _, value in lines}


def of_debian(suite: str, package: str) -> Answer:
    """The version that apt would install, as of its last update; where this is that release."""
    asked = f"Debian {suite} {package}"
    if host_suite() != suite or not shutil.which("apt-cache"):
        return Answer(asked, why=f"this machine is not Debian {suite}", local=True)
    try:
        said = shell.output(
            "apt-cache", "policy", package, env={"LC_ALL": "C"}, timeout_s=REQUEST_S
        )
    except LabError as error:
        return Answer(asked, why=error.saw, local=True)
    return debian_answer(asked, said)


def debian_answer(asked: str, said: str) -> Answer:
    """What `apt-cache policy` printed, read."""
    found = re.search(r"^\s+Candidate: (\S+)$", said, re.MULTILINE)
    if not found or found[1] == "(none)":
        return Answer(asked, why="apt has no such package in its lists", local=True)
    return Answer(asked, (numbers.of_debian(found[1]),), local=True)


# ---- images --------------------------------------------------------------------


def of_image(image: catalog.Image) -> Answer:
    """The versions of an image, from its registry's tags that are written as the pinned one.

    Asks LAB_REGISTRY when it is set, as a pull does.
    """
    asked = f"image {image.name}"
    try:
        with web.client(CONNECT_S) as client:
            tags = _tags(client, f"{_registry(image)}/v2/{image.path}/tags/list")
    except httpx.HTTPStatusError as error:
        return Answer(asked, why=f"HTTP {error.response.status_code}")
    except httpx.HTTPError:
        return Answer(asked, why=OFFLINE)
    except (ValueError, KeyError, TypeError) as error:
        return Answer(asked, why=f"no list of tags: {error}")
    return Answer(asked, tuple(numbers.of_tags(tags, image.tags[0])))


def images_answer() -> bool:
    """Does the registry route answer at all? Asked once, so that its silence costs seconds."""
    return bool(route.image_source()) or not route.unreachable()


def _registry(image: catalog.Image) -> str:
    first, slash, _ = image.name.partition("/")
    host = route.image_source() or (first if slash and "." in first else HUB)
    # what the container engine does too: without TLS on this machine alone
    name = host.partition(":")[0]
    return f"{'http' if name == 'localhost' or name.startswith('127.') else 'https'}://{host}"


def _tags(client: httpx.Client, url: str) -> list[str]:
    found: list[str] = []
    headers: dict[str, str] = {}
    for _ in range(PAGES):
        answer = client.get(url, headers=headers)
        if answer.status_code == 401 and not headers:
            headers = {"Authorization": f"Bearer {_token(client, answer)}"}
            answer = client.get(url, headers=headers)
        found += answer.raise_for_status().json()["tags"] or []
        if "next" not in answer.links:
            break
        url = str(answer.url.join(answer.links["next"]["url"]))
    return found


def _token(client: httpx.Client, refused: httpx.Response) -> str:
    """The anonymous token of a public registry, from the address that it names."""
    wanted = dict(re.findall(r'(\w+)="([^"]*)"', refused.headers.get("WWW-Authenticate", "")))
    answer = client.get(wanted.pop("realm"), params=wanted).raise_for_status().json()
    return str(answer.get("token") or answer["access_token"])
