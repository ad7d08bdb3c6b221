"""Every error the lab raises: what happened, what was seen, what to try.

::

    LabError
    ├── Unsupported           this machine cannot run the lab (Python too old, no AVX2, ...)
    ├── NotEnoughDisk         less free disk than the part needs
    ├── NotEnoughMemory       less memory than the cluster needs
    ├── PortTaken             another program listens on that port
    ├── EngineMissing         no container engine, and none can be installed here
    ├── EngineDenied          the engine is there, this user may not use it
    ├── RouteUnavailable      neither public registries nor package mirrors can serve the lab
    ├── DownloadFailed        a file could not be fetched
    ├── ChecksumWrong         a file was fetched and is not the one that is pinned
    ├── BundleUnreadable      a bundle, or the server that has it, is not there or went away
    ├── BundleDamaged         a part of a bundle is not what its list says
    ├── ToolMissing           a program is not there or too old, and cannot be installed here
    ├── BuildFailed           a program or an image could not be built; names its log file
    ├── CommandFailed         a program that the lab ran failed
    ├── NotOurs               a container or volume of the lab's name that the lab did not make
    ├── ClusterNotOurs        a cluster of the lab's name that the lab did not make
    ├── ContextUnknown        the kubeconfig has no such context
    ├── ContextSilent         the context's cluster does not answer
    ├── NamespaceNotOurs      a namespace of the lab's name without the lab's label
    ├── ModelUnavailable      the model is not available here
    ├── NotUp                 the lab is not up, and the command needs it
    ├── LogMissing            there is no log of that name
    ├── JupyterFailed         JupyterLab did not start
    ├── NotStarted            lab.start() has not been called in this kernel
    ├── UnknownResource       the API server knows no such kind of object
    ├── NotFound              the API server has no such object
    ├── AlreadyExists         an object of that name is there already
    ├── Refused               the API server rejected it: quota, admission, rights, a wrong field
    │   ├── Conflict          another client changed the object at the same time
    │   └── Expired           a watch should continue from where no history is left
    ├── ApiSilent             the API server does not answer now, and may answer later
    │   └── KubeconfigWrong   it never will: the kubeconfig cannot be used, or is another server's
    ├── PodFailed             it cannot become ready without a change; `reason` says why
    ├── Gone                  it was deleted during the wait
    ├── Unreachable           a Service, a Pod or an Ollama does not answer
    ├── OllamaSaid            Ollama's own error; `status` is the HTTP status, 200 inside a stream
    │   ├── ModelMissing      that Ollama does not have the model
    │   └── StreamCut         the answer ended before it was complete
    ├── UnknownStep           no step has that name
    ├── CheckFailed           the check of a step says: not yet
    └── TimedOut              not ready within the time given

`exit_code` is what `./lab` ends with: 1 is a clear no, 2 means it could not tell.
"""

from pathlib import Path


class LabError(Exception):
    """What happened, what was seen last, what to try: one line each.

    >>> print(LabError("the lab is not up", "no cluster lab", "./lab up"))
    LabError: the lab is not up
    saw: no cluster lab
    try: ./lab up
    """

    exit_code = 1

    def __init__(self, happened: str, saw: str, hint: str) -> None:
        super().__init__(happened, saw, hint)
        self.happened = _one_line(happened)
        self.saw = _one_line(saw)
        self.hint = _one_line(hint)

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.happened}\nsaw: {self.saw}\ntry: {self.hint}"

    def _render_traceback_(self) -> list[str]:
        """IPython shows these lines in place of a traceback; the cell still fails."""
        return str(self).splitlines()


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


class Unsupported(LabError):
    """This machine cannot run the lab."""

    exit_code = 2


class NotEnoughDisk(LabError):
    """Less free disk than the part needs."""


class NotEnoughMemory(LabError):
    """Less memory than the cluster needs."""


class PortTaken(LabError):
    """Another program listens on that port."""


class EngineMissing(LabError):
    """No container engine, and none can be installed here."""


class EngineDenied(LabError):
    """The engine is there, this user may not use it."""

    exit_code = 2


class RouteUnavailable(LabError):
    """Neither public registries nor package mirrors can serve the lab."""


class DownloadFailed(LabError):
    """A file could not be fetched."""


class ChecksumWrong(LabError):
    """A file was fetched and is not the one that is pinned."""


class BundleUnreadable(LabError):
    """A bundle, or the server that has it, is not there or went away."""


class BundleDamaged(LabError):
    """A part of a bundle is not what its list says."""


class ToolMissing(LabError):
    """A program is not there or too old, and cannot be installed here."""


class BuildFailed(LabError):
    """A program or an image could not be built; `log` holds the build's whole output.

    >>> print(BuildFailed("image lab/node was not built", "exit 1", "./lab up", log="node.log"))
    BuildFailed: image lab/node was not built
    saw: exit 1
    try: ./lab up (the whole output is in node.log)
    """

    def __init__(self, happened: str, saw: str, hint: str, *, log: str | Path) -> None:
        super().__init__(happened, saw, f"{hint} (the whole output is in {log})")
        self.log = Path(log)


class CommandFailed(LabError):
    """A program that the lab ran failed."""

    exit_code = 2


class NotOurs(LabError):
    """A container or volume of the lab's name that the lab did not make."""


class ClusterNotOurs(LabError):
    """A cluster of the lab's name that the lab did not make."""


class ContextUnknown(LabError):
    """The kubeconfig has no such context."""

    exit_code = 2


class ContextSilent(LabError):
    """The context's cluster does not answer."""

    exit_code = 2


class NamespaceNotOurs(LabError):
    """A namespace of the lab's name without the lab's label."""


class ModelUnavailable(LabError):
    """The model is not available here."""


class NotUp(LabError):
    """The lab is not up, and the command needs it."""


class LogMissing(LabError):
    """There is no log of that name."""


class JupyterFailed(LabError):
    """JupyterLab did not start."""


class NotStarted(LabError):
    """lab.start() has not been called in this kernel."""


class UnknownResource(LabError):
    """The API server knows no such kind of object."""


class NotFound(LabError):
    """The API server has no such object."""


class AlreadyExists(LabError):
    """An object of that name is there already."""


class Refused(LabError):
    """The API server rejected the request: quota, admission, rights, a wrong field.

    `status` is the HTTP status, 0 where it is not known; `reason` is the API server's word for it,
    empty where a server behind its proxy path has answered.
    """

    def __init__(
        self, happened: str, saw: str, hint: str, *, status: int = 0, reason: str = ""
    ) -> None:
        super().__init__(happened, saw, hint)
        self.status, self.reason = status, reason


class Conflict(Refused):
    """Another client changed the object at the same time."""


class Expired(Refused):
    """A watch should continue from where the API server has no history left."""


class ApiSilent(LabError):
    """The API server does not answer now, and may answer later; `outage.asked_again` asks again.

    `maybe_done`: what was to be changed may have been. `of_service`: the API server answers, and
    only what it has asked for us does not. `retry_after_s`: it wants to be left alone for so long.
    """

    exit_code = 2

    def __init__(
        self,
        happened: str,
        saw: str,
        hint: str,
        *,
        maybe_done: bool = False,
        of_service: bool = False,
        retry_after_s: float = 0.0,
    ) -> None:
        super().__init__(happened, saw, hint)
        self.maybe_done = maybe_done
        self.of_service = of_service
        self.retry_after_s = retry_after_s


class KubeconfigWrong(ApiSilent):
    """A retry does not help: the kubeconfig cannot be used, or is another server's."""


class PodFailed(LabError):
    """It cannot become ready without a change; `reason` is Kubernetes' own word for why.

    >>> PodFailed("pod/x will not be ready", "no such image", "…", reason="ImagePullBackOff").reason
    'ImagePullBackOff'
    """

    def __init__(self, happened: str, saw: str, hint: str, *, reason: str) -> None:
        super().__init__(happened, saw, hint)
        self.reason = reason


class Gone(LabError):
    """It was deleted during the wait."""


class Unreachable(LabError):
    """A Service, a Pod or an Ollama does not answer."""


class OllamaSaid(LabError):
    """Ollama's own error; `status` is the HTTP status, 200 inside a stream.

    >>> OllamaSaid("pull failed", "file does not exist", "ollama list", status=200).status
    200
    """

    def __init__(self, happened: str, saw: str, hint: str, *, status: int) -> None:
        super().__init__(happened, saw, hint)
        self.status = status


class ModelMissing(OllamaSaid):
    """That Ollama does not have the model."""


class StreamCut(OllamaSaid):
    """The answer ended before it was complete."""


class UnknownStep(LabError):
    """No step has that name."""


class CheckFailed(LabError):
    """The check of a step says: not yet; `verdict` has all that it knows.

    >>> CheckFailed("a step is not done", "no Pod", "what should run?", verdict=None).hint
    'what should run?'
    """

    def __init__(self, happened: str, saw: str, hint: str, *, verdict: object) -> None:
        super().__init__(happened, saw, hint)
        self.verdict = verdict


class TimedOut(LabError):
    """Not ready within the time given."""
