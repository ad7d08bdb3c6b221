"""Ollama's two parts, compiled in a container: the Go program, and the engine in C++.

The container has a newer compiler and newer libraries than the host may have. The engine is
`llama-server`: CMake on the folder of Ollama's Go module, with the source of llama.cpp out of a
package of the Python index.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from labkit.errors import DownloadFailed
from labkit.setup.build import catalog, go
from labkit.setup.host import docker, machine, paths, shell, speed

PROGRAM, ENGINE = "lab-build-ollama", "lab-build-llama-server"  # the containers
IMAGE = "lab/ollama-build"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
DOWNLOAD_S = 900
# As the public image is configured, but for one thing: one program for this kind of processor, in
# place of a library for each kind, all of them linked in.
SETTINGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DGGML_BACKEND_DL=OFF",
    "-DGGML_NATIVE=OFF",
    "-DGGML_OPENMP=OFF",
    "-DCMAKE_PROJECT_TOP_LEVEL_INCLUDES=/recipe/quick.cmake",
)


def program(build: catalog.Build, out: Path, log: Path) -> None:
    """`ollama`, which needs cgo."""
    # the host's Go where it is new enough, else the toolchain it fetches for this
    toolchain = {**go.environment(), "GOTOOLCHAIN": f"go{build.toolchain}+auto"}
    go_root = shell.output("go", "env", "GOROOT", env=toolchain, timeout_s=300)
    home = paths.cache("go")
    for part in ("mod", "build"):
        (home / part).mkdir(parents=True, exist_ok=True)
    mounts = [f"{go_root}:/usr/local/go:ro", f"{home}:/go", f"{out}:/out"]
    if CA_BUNDLE.exists():
        mounts.append(f"{CA_BUNDLE}:{CA_BUNDLE}:ro")
    settings = {
        **go.environment(),
        "PATH": "/usr/local/go/bin:/usr/bin:/bin",
        "HOME": "/tmp",
        "GOPATH": "/go",
        "GOMODCACHE": "/go/mod",
        "GOCACHE": "/go/build",
        "GOBIN": "/out",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "1",
    }
    for key in ("GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GONOPROXY"):
        settings[key] = shell.output("go", "env", key)
    # may hold a password: passed by name, so that no log shows it
    secret = {"GOPROXY": shell.output("go", "env", "GOPROXY")}
    command = ["go", "install", *go.flags(build), f"{build.module}@v{build.version}"]
    _run(PROGRAM, mounts, settings, command, log, secret)


def engine(build: catalog.Build, out: Path, log: Path) -> None:
    """`llama-server`, and the licences of all that is linked into it."""
    with paths.temporary("llama-server") as folder:
        source = _unpacked(_downloaded(build, Path(folder), log), Path(folder), log)
        mounts = [f"{_module(build)}:/ollama:ro", f"{source}:/llama.cpp", f"{out}:/out"]
        mounts.append(f"{paths.k8s('images', 'ollama-build')}:/recipe:ro")
        vector = machine.vector_flags(catalog.target()[1])
        settings = {"HOME": "/tmp", "CFLAGS": vector, "CXXFLAGS": vector}
        words = " ".join(SETTINGS)
        script = (
            f"cmake -G Ninja -S /ollama/llama/server -B /tmp/build {words}"
            " -DFETCHCONTENT_SOURCE_DIR_LLAMA_CPP=/llama.cpp"
            " && cmake --build /tmp/build --target llama-server"
            " && strip -o /out/llama-server /tmp/build/bin/llama-server"
            " && cp /llama.cpp/LICENSE /out/LLAMA_CPP_LICENSE"
            " && cp /tmp/build/ollama-vendor-licenses/LLAMA_CPP_VENDORS_LICENSE /out/"
        )
        _run(ENGINE, mounts, settings, ["sh", "-c", script], log, {})


def _module(build: catalog.Build) -> Path:
    """The folder of Ollama's Go module, downloaded where it is missing."""
    words = ("mod", "download", "-json", f"{build.module}@v{build.version}")
    said = shell.output("go", *words, env=go.environment(), timeout_s=speed.deadline(DOWNLOAD_S))
    return Path(json.loads(said)["Dir"])


def _downloaded(build: catalog.Build, folder: Path, log: Path) -> Path:
    """llama.cpp's source, by pip, which compares it with the pinned checksum."""
    assert build.sdist
    wanted = folder / "requirements.txt"
    pin = f"{build.sdist.name}=={build.sdist.version}"
    wanted.write_text(f"{pin} --hash=sha256:{build.sdist.sha256}\n")
    words = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
    # not of all packages: that would compile CMake, which this one's own build asks for
    words += ["--no-binary", build.sdist.name, "--dest", str(folder), "--requirement", str(wanted)]
    shell.run(*words, log=log, timeout_s=speed.deadline(DOWNLOAD_S))
    found = sorted(folder.glob("*.tar.gz"))
    if len(found) != 1:
        raise DownloadFailed(
            f"pip did not leave the source of {pin}",
            f"{[file.name for file in folder.iterdir()]}",
            "./lab up again",
        )
    return found[0]


def _unpacked(archive: Path, folder: Path, log: Path) -> Path:
    """The folder `llama.cpp` of the package: Ollama's patches are applied to it."""
    shell.run("tar", "-xzf", archive, "-C", folder, log=log, timeout_s=300)
    (found,) = folder.glob("*/llama.cpp")
    return found


def _run(
    name: str,
    mounts: list[str],
    settings: dict[str, str],
    command: list[str],
    log: Path,
    secret: dict[str, str],
) -> None:
    docker.docker("rm", "-f", name, check=False)  # what a killed `up` may have left running
    words = ["docker", "run", "--rm", "--name", name, "--network", "host"]
    words += ["--user", f"{os.getuid()}:{os.getgid()}", *docker.proxies("-e")]
    for mount in mounts:
        words += ["-v", mount]
    for key, value in settings.items():
        words += ["-e", f"{key}={value}"]
    for key in secret:
        words += ["-e", key]
    try:
        shell.run(
            *words, IMAGE, *command, log=log, timeout_s=speed.deadline(go.BUILD_S), env=secret
        )
    finally:  # a container's first process does not listen to a signal
        docker.docker("rm", "-f", name, check=False, cleanup=True)
