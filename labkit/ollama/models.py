"""What is made on this machine for a lesson: `lab.bake` an image, `lab.slow_model` a model."""

from __future__ import annotations

import time
from dataclasses import dataclass

import labkit
from labkit.errors import Unsupported
from labkit.kube.session import current
from labkit.ollama import client
from labkit.ui import units
from labkit.ui.live import Live, describe
from labkit.ui.notebook import Shown


@dataclass(frozen=True)
class Baked(Shown):
    """An image that has a model in it: its name, its size on disk, how long that took."""

    image: str
    size_bytes: int
    seconds: float

    def __repr__(self) -> str:
        return f"{self.image}: {units.size(self.size_bytes)}, built in {self.seconds:.0f} s"


def bake(model: str | None = None) -> Baked:
    """Build an image of Ollama with a model in it, and push it to the lab's registry.

        lab.bake()

    Equals `docker build` of k8s/steps/05-baked and `docker push`. Raises Unsupported (this
    is not the lab's own cluster), EngineMissing (no engine to build with), CommandFailed.
    """
    from labkit.setup.cluster import baked_image

    session = current()
    if session.context:
        raise Unsupported(
            "an image can be baked for the lab's own cluster only",
            f"this is context {session.context}, whose nodes do not ask the lab's registry",
            "build and push k8s/steps/05-baked to a registry of that cluster",
        )
    model = model or labkit.model
    begun = time.monotonic()
    describe(f"docker build of {baked_image.FOLDER} with MODEL={model}, then docker push")
    with Live(f"bake {baked_image.IMAGE}") as live:
        live.show(f"building {baked_image.IMAGE} with {model}")
        size = baked_image.build(model)
        live.show(f"pushing {baked_image.IMAGE}")
        baked_image.push()
        baked = Baked(baked_image.IMAGE, size, time.monotonic() - begun)
        live.done(repr(baked))
    return baked


def names(at: str) -> list[str]:
    """The names of the models that an Ollama has on its disk."""
    with client.server(at) as server:
        return [model["name"] for model in server.get("/api/tags")["models"] or []]


def slow_model() -> str:
    """Return the name of a model with the answers of `lab-llama` and the cost of a real one.

        lab.slow_model()

    So large that one answer takes 1 to 1.5 s on this machine: 309 million parameters (309 MB) on
    the reference machine, a fifth of that on a slow one. It is made on this machine and brought to
    the mirror when it is first asked for, and again after the machine's speed has changed; that
    takes up to a minute. Equals `ollama create` and `ollama push` in the lab's own Ollama. Raises
    Unsupported, CommandFailed.
    """
    from labkit.setup.cluster import labs
    from labkit.setup.cluster import slow_model as slow

    session = current()
    lab = labs.Lab(session.context)
    full = slow.NAME
    describe(f"ollama create and ollama push of {full}, in the lab's own Ollama")
    with Live(f"make {full}") as live:
        made = slow.ensure(lab, live.show)
        live.done(f"{full} is in the mirror{'' if made else ' already'}")
    return full
