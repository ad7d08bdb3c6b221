"""What is made on this machine for a lesson: `lab.bake` an image, `lab.slow_model` a model."""

from __future__ import annotations

import time
from dataclasses import dataclass

import labkit
from labkit import humane
from labkit.display import Live, Shown, echo
from labkit.errors import Unsupported
from labkit.session import current


@dataclass(frozen=True)
class Baked(Shown):
    """An image that has a model in it: its name, its size on disk, how long that took."""

    image: str
    size_bytes: int
    seconds: float

    def __repr__(self) -> str:
        return f"{self.image}: {humane.size(self.size_bytes)}, built in {self.seconds:.0f} s"


def bake(model: str | None = None) -> Baked:
    """Builds an image of Ollama with a model in it, and pushes it where the nodes find it.

        lab.bake()

    Equals `docker build` of k8s/steps/05-baked and `docker push`. Raises Unsupported (this
    is not the lab's own cluster), EngineMissing (no engine to build with), CommandFailed.
    """
    from labkit.bringup import bake

    session = current()
    if session.context:
        raise Unsupported(
            "an image can be baked for the lab's own cluster only",
            f"this is context {session.context}, whose nodes do not ask the lab's registry",
            "build and push k8s/steps/05-baked to a registry of that cluster",
        )
    model = model or labkit.model
    begun = time.monotonic()
    echo(f"docker build --tag {bake.IMAGE} --build-arg MODEL={model} {bake.FOLDER}")
    with Live(f"bake {bake.IMAGE}") as live:
        live.show(f"building {bake.IMAGE} with {model}")
        size = bake.build(model)
        live.show(f"pushing {bake.IMAGE}")
        bake.push()
        baked = Baked(bake.IMAGE, size, time.monotonic() - begun)
        live.done(repr(baked))
    return baked


def slow_model() -> str:
    """A model that says what `lab-llama` says at the cost of a real one; its full name.

        lab.slow_model()

    309 million parameters, 309 MB, 30 to 80 tokens/s on one core. Made on this machine and
    brought to the mirror when it is first asked for, which takes up to a minute. Equals
    `ollama create` and `ollama push` in the lab's own Ollama. Raises Unsupported, CommandFailed.
    """
    from labkit.bringup import kube, slow

    session = current()
    lab = kube.Lab(session.context)
    full = slow.NAME
    echo(f"ollama push {full}")
    with Live(f"make {full}") as live:
        made = slow.ensure(lab, live.show)
        live.done(f"{full} is in the mirror{'' if made else ' already'}")
    return full
