"""The package route's Go builds: each kept in a folder named by a hash of its inputs."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from labkit.bringup import bom, engine, paths, preflight, shell
from labkit.errors import LabError, ToolMissing

OLDEST = (1, 21)  # from here on Go fetches the toolchain that a go.mod asks for
BUILD_S = 3000
BUILDER = "lab-build-ollama"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")


def require() -> str:
    """The version of the Go on PATH. Raises ToolMissing when there is none, or a too old one."""
    hint = "install Go 1.21 or newer (https://go.dev/dl), or use the registry route"
    try:
        said = shell.output("go", "version")
    except LabError as error:
        raise ToolMissing("the package route compiles with Go", error.saw, hint) from None
    number = re.search(r"go(\d+)\.(\d+)", said)
    if not number or (int(number[1]), int(number[2])) < OLDEST:
        raise ToolMissing("this Go is too old to fetch the toolchain it needs", said, hint)
    return number[0]


def environment() -> dict[str, str]:
    """The lab's own Go caches: `down --purge` can remove them, nobody else's suffer."""
    home = paths.cache("go")
    flags = f"{os.environ.get('GOFLAGS', '')} -modcacherw".strip()
    return {
        "GOPATH": str(home),
        "GOMODCACHE": str(home / "mod"),
        "GOCACHE": str(home / "build"),
        "GOFLAGS": flags,
        "CGO_ENABLED": "0",
    }


def source(build: bom.Build) -> Path:
    """The folder with the go.mod of a build that is no plain module."""
    return paths.k8s("cluster", "go" if build.name == "cluster" else build.name)


def inputs(build: bom.Build) -> str:
    """A hash of everything of ours that decides what the build makes."""
    what: list[str | Path] = [source(build)]
    if build.module:
        what = [f"{build.module}@{build.version}"]
    if build.name == "ollama":
        what += [paths.k8s("images", "ollama-build"), preflight.vector_flags()]
    return bom.digest_of(*what, " ".join(_flags(build)), "-".join(bom.target()))


def folder(build: bom.Build) -> Path:
    return paths.cache("builds", f"{build.name}-{inputs(build)}")


def made(build: bom.Build) -> bool:
    return all((folder(build) / name).is_file() for name in build.binaries)


def binary(name: str) -> Path:
    """Where the build that makes `name` puts it."""
    return folder(build_of(name)) / name


def build_of(name: str) -> bom.Build:
    return next(build for build in bom.load().builds if name in build.binaries)


def make(build: bom.Build) -> None:
    """Build into a folder aside, then rename: a killed build is never taken for a whole one."""
    compile_: Callable[[bom.Build, Path, Path], None] = (
        _in_builder if build.name == "ollama" else _on_host
    )
    target = folder(build)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{build.name}-", dir=target.parent))
    try:
        compile_(build, aside, paths.log_file(f"build-{build.name}"))
        shutil.rmtree(target, ignore_errors=True)
        aside.chmod(0o755)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _flags(build: bom.Build) -> list[str]:
    materials = bom.load()
    stamps = []
    if build.name == "cluster":
        # kubeadm compares versions, and without the stamp it cannot tell its own
        major, minor, _ = materials.kubernetes.split(".")
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            stamps += [
                f"-X {package}.gitVersion=v{materials.kubernetes}",
                f"-X {package}.gitMajor={major}",
                f"-X {package}.gitMinor={minor}",
                f"-X {package}.gitTreeState=clean",
                f"-X {package}.buildDate=1970-01-01T00:00:00Z",
            ]
        helm = next(tool for tool in materials.tools if tool.name == "helm")
        stamps.append(f"-X helm.sh/helm/v3/internal/version.version=v{helm.version}")
    if build.name == "ollama":
        stamps.append(f"-X=github.com/ollama/ollama/version.Version={build.version}")
    return ["-trimpath", "-ldflags", " ".join(["-s -w", *stamps])]


def _on_host(build: bom.Build, out: Path, log: Path) -> None:
    options = {"log": log, "timeout_s": BUILD_S}
    if build.module:
        command = ("go", "install", *_flags(build), f"{build.module}@v{build.version}")
        env = {**environment(), "GOBIN": str(out)}
        shell.run(*command, env=env, cwd=out, **options)
        return
    module = source(build)
    packages = ["tool", "./etcd"] if build.name == "cluster" else ["."]
    command = ("go", "build", *_flags(build), "-o", f"{out}/", *packages)
    shell.run(*command, env=environment(), cwd=module, **options)


def _in_builder(build: bom.Build, out: Path, log: Path) -> None:
    """Ollama: cgo, with a newer compiler and libraries than the host may have."""
    engine.docker("rm", "-f", BUILDER, check=False)  # what a killed `up` may have left running
    # the host's Go where it is new enough, else the toolchain it fetches for this
    toolchain = {**environment(), "GOTOOLCHAIN": f"go{build.toolchain}+auto"}
    go_root = shell.output("go", "env", "GOROOT", env=toolchain, timeout_s=300)
    home = paths.cache("go")
    for part in ("mod", "build"):
        (home / part).mkdir(parents=True, exist_ok=True)
    mounts = [f"{go_root}:/usr/local/go:ro", f"{home}:/go", f"{out}:/out"]
    if CA_BUNDLE.exists():
        mounts.append(f"{CA_BUNDLE}:{CA_BUNDLE}:ro")
    vector = preflight.vector_flags()
    settings = {
        "PATH": "/usr/local/go/bin:/usr/bin:/bin",
        "HOME": "/tmp",
        "GOPATH": "/go",
        "GOMODCACHE": "/go/mod",
        "GOCACHE": "/go/build",
        "GOBIN": "/out",
        "GOFLAGS": environment()["GOFLAGS"],
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "1",
        "CGO_CFLAGS": vector,
        "CGO_CXXFLAGS": vector,
    }
    for key in ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GONOPROXY"):
        settings[key] = shell.output("go", "env", key)
    words = ["docker", "run", "--rm", "--name", BUILDER, "--network", "host"]
    words += ["--user", f"{os.getuid()}:{os.getgid()}", *engine.proxies("-e")]
    for mount in mounts:
        words += ["-v", mount]
    secret = ("GOPROXY",)  # may hold a password: passed by name, so that no log shows it
    for key, value in settings.items():
        words += ["-e", key if key in secret else f"{key}={value}"]
    module = f"{build.module}@v{build.version}"
    words += ["lab/ollama-build", "go", "install", *_flags(build), module]
    proxy = {key: settings[key] for key in secret}
    try:
        shell.run(*words, log=log, timeout_s=BUILD_S, env=proxy)
    finally:  # Go as a container's first process does not listen to a signal
        engine.docker("rm", "-f", BUILDER, check=False, cleanup=True)
