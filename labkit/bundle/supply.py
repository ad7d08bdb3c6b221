"""What `./lab up --bundle` takes from a bundle: jobs for the tools and images that are missing."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

from labkit.bundle import blobs, check, fetch, images_out, packing, source
from labkit.bundle.identity import inputs
from labkit.bundle.layout import Part
from labkit.errors import BundleUnreadable, EngineMissing, Unsupported
from labkit.setup.build import catalog, images, tools
from labkit.setup.build.route import BUNDLE
from labkit.setup.host import docker, paths
from labkit.setup.host.jobs import Job
from labkit.setup.host.progress import Reporter

AGAIN = "./lab up --bundle FILE, or with a network ./lab up --route registry"


def last() -> str:
    """Where the bundle was that the lab last came up from; empty: it did not."""
    return str(paths.read_json(_record()).get("where", ""))


def _record() -> Path:
    return paths.state("bundle.json")


class Supply:
    """A bundle that `up` takes from. It is opened when something is missing, or when it is named.

    `named`: by this command, so that what is there is compared with it. Without that, whatever
    came from a bundle is right.
    """

    def __init__(self, where: str, code: str = "", *, named: bool = True) -> None:
        self.where = source.absolute(where) if where else ""
        self.code, self.named = code, named
        self._fetched: set[str] = set()
        if named:
            self.bundle  # noqa: B018 - a bundle that is not there is said before any work

    @functools.cached_property
    def bundle(self) -> source.Bundle:
        """The open bundle. Raises BundleUnreadable, BundleDamaged; Unsupported when it is not
        for this machine or for this labkit.
        """
        if not self.where:
            raise BundleUnreadable(
                "the lab came up from a bundle, and no bundle is named now",
                "something of the lab is missing here",
                AGAIN,
            )
        try:
            bundle = source.opened(self.where, self.code)
        except BundleUnreadable as error:
            if self.named:
                raise
            raise BundleUnreadable(error.happened, error.saw, AGAIN) from None
        _require_fit(bundle)
        return bundle

    def remember(self) -> None:
        """Keep where it is, for an `up` that names no bundle."""
        paths.write_json(_record(), {"where": self.where})

    def disk(self) -> int:
        """Bytes of disk that loading all of it needs: what it unpacks to, and docker's copy."""
        contents = self.bundle.contents
        unpacked = sum(part.unpacked for part in contents.parts)
        biggest = max((part.unpacked for part in contents.parts), default=0)
        return unpacked + 2 * biggest + (contents.size if self.bundle.source.is_remote else 0)

    def jobs(self, reporter: Reporter, *, answer: bool) -> list[Job]:
        """What is missing: of what the first answer needs, or of all the rest."""
        asked = [image for image in images.wanted() if image.answer == answer]
        known = docker.inspect("image", *(image.reference for image in asked))
        found = [
            Job(f"image:{image.reference}", self._loader(image, reporter))
            for image in asked
            if not self._has(image, known.get(image.reference))
        ]
        for tool in catalog.load().tools:
            if tool.answer == answer and (self.named or not tools.path(tool.name).exists()):
                found.append(Job(f"tool:{tool.name}", self._linker(tool, reporter)))
        return found

    def end(self) -> None:
        """The lab is up: what was fetched for it is not needed twice."""
        for sha256 in self._fetched:
            blobs.path(sha256).unlink(missing_ok=True)

    def read(self, part: Part) -> Iterator[bytes]:
        """A part's bytes, compared with the list before the first of them is given."""
        if self.bundle.source.is_remote:
            file = fetch.part(self.bundle, part)
            self._fetched.add(part.sha256)
            yield from blobs.chunks(file)
        else:
            check.require(self.bundle, part)
            yield from self.bundle.chunks(part)

    def _manifest(self, image: catalog.Image) -> bytes:
        parts = self.bundle.contents.of("manifest")
        found = [part for part in parts if part.name == image.reference]
        if not found:
            raise Unsupported(
                f"the bundle {self.where} has no image {image.reference}",
                f"it has {', '.join(part.name for part in parts) or 'none'}",
                "./lab bundle save FILE again, with this labkit",
            )
        return b"".join(self.read(found[0]))

    def _has(self, image: catalog.Image, found: dict | None) -> bool:
        if not self.named:
            return images.state(image, BUNDLE, found).present
        record = paths.read_json(images.pulled_record(image))
        its = f"bundle {images_out.config_of(self._manifest(image))}"
        return found is not None and record.get("id") == found["Id"] and record["source"] == its

    def _loader(self, image: catalog.Image, reporter: Reporter) -> Callable[[], None]:
        def load() -> None:
            manifest = self._manifest(image)
            every = {part.sha256: part for part in self.bundle.contents.of("config", "layer")}
            parts = images_out.needed(manifest, every)
            had = image.reference in docker.inspect("image", image.reference)
            log = paths.log_file(f"load-{image.path}")
            with reporter.task(f"load {image.reference}"):
                images_out.load(images_out.archive(parts, [image.reference], self.read), log)
            its = f"bundle {images_out.config_of(manifest)}"
            images.remember(image, its, had=had)

        return load

    def _linker(self, tool: catalog.Tool, reporter: Reporter) -> Callable[[], None]:
        def link() -> None:
            parts = [part for part in self.bundle.contents.of("tool") if part.name == tool.name]
            if not parts:
                raise Unsupported(
                    f"the bundle {self.where} has no {tool.name}",
                    f"labkit {self.bundle.contents.labkit} saved it",
                    "./lab bundle save FILE again, with this labkit",
                )
            (part,) = parts
            place = f"{tool.name}-{tool.version}-{part.sha256[:12]}"
            program = paths.cache("tools", place, tool.name)
            if not program.exists():
                program.parent.mkdir(parents=True, exist_ok=True)
                aside = program.with_suffix(".part")
                with reporter.task(f"unpack {tool.name} {tool.version}", quiet=True):
                    with aside.open("wb") as out:
                        for data in packing.unpacked(self.read(part)):
                            out.write(data)
                    aside.chmod(0o755)
                    aside.replace(program)
            tools.link(tool.name, program)

        return link


def engine(reporter: Reporter, confirm: Callable[[str], bool]) -> str:
    """The version of an engine that answers or can be started; a bundle cannot bring one.

    Raises EngineMissing.
    """
    try:
        return docker.version()
    except EngineMissing as missing:
        if docker.is_installed():
            return docker.ensure(reporter, confirm)
        raise EngineMissing(
            "no container engine answers, and a bundle cannot hold one",
            missing.saw,
            "install it where there is a network: sudo apt-get install docker.io, or Docker",
        ) from None


def _require_fit(bundle: source.Bundle) -> None:
    contents, here = bundle.contents, "-".join(catalog.target())
    if contents.target != here:
        raise Unsupported(
            f"the bundle {bundle.where} is for {contents.target}",
            f"this machine is {here}",
            f"./lab bundle save FILE on a machine that is {here}",
        )
    if contents.inputs != inputs():
        raise Unsupported(
            f"the bundle {bundle.where} was saved by another version of labkit",
            f"labkit {contents.labkit} with Kubernetes {contents.kubernetes} and Ollama"
            f" {contents.ollama}; this one asks for other images or versions",
            f"use the labkit in it: {source.how_to_unpack(bundle)}",
        )
