"""Ollama on Kubernetes, on your own machine.

>>> import labkit as lab
>>> issubclass(lab.LabError, Exception)
True

| name | what it is |
|---|---|
| `lab.start` | the lab and your namespace; the first line of every notebook |
| `lab.run`, `exec`, `logs`, `get`, `delete`, `apply`, `events`, `wait` | kubectl's commands |
| `lab.create_deployment`, `create_service`, `scale`, `restart`, `rollout` | for many Pods |
| `lab.each_pod`, `processes`, `hey` | which Pod answered, what runs inside, a client that sends |
| `lab.load_test` | an Ollama under load: first tokens, gaps, queue, failures, from many Pods |
| `lab.compare` | is one load test faster than another, and how sure is that? |
| `lab.timeline`, `mirrored` | what happened to Pods and when; what the mirror sent |
| `lab.metrics`, `top` | Prometheus' series of the last minutes; what Pods and nodes use now |
| `lab.fits` | how much memory a model needs in a Pod, and which nodes have that room |
| `lab.dashboard` | the same for your namespace in one view, live while something runs |
| `lab.bake`, `slow_model`, `manifest` | an image and a model made for a lesson; a manifest's text |
| `lab.helm_upgrade`, `helm_uninstall` | helm's commands |
| `lab.Table`, `Chart`, `choice` | what results are shown in, and a control to change |
| `lab.pull`, `generate`, `chat`, `models`, `ps`, `show`, `stop` | Ollama's commands |
| `lab.connect` | a Service or a Pod, reached from Python outside the cluster |
| `lab.try_way`, `lab.ways` | a way to bring the model to each new Pod: tried, and all compared |
| `lab.plant` | an Ollama with a mistake in it, to find |
| `lab.diagnose` | what is wrong in a namespace, of the lab's cluster or of any other |
| `lab.check`, `lab.solved` | is a step done? what was seen, and what to try; which are? |
| `lab.hint` | the next hint for a step: a question, where to look, the command |
| `lab.solution` | the solution of an exercise, as text |
| `lab.goto`, `lab.reset` | your namespace as a step begins, or empty; from any state |
| `lab.model` | full name of the lab's model, as `ollama pull` wants it; `$MODEL` when that is set |
| `lab.status`, `check_all`, `timetable`, `troubles` | for teachers: four tables |
| `lab.step_buttons` | check, goto and reset by buttons |
| `lab.LabError` | every error of the lab; shows what happened, what was seen, what to try |

`import labkit` is quick and contacts nothing: each name is loaded when it is first used.
"""

import os
import sys

__version__ = "0.1.0"

# where each name lives; no module has the name of one of them, which would replace it
_HOMES = {
    "LabError": "errors",
    "Chart": "ui.chart",
    "Table": "ui.table",
    "apply": "kube.apply",
    "bake": "ollama.models",
    "chat": "ollama.completion",
    "check": "lessons.checks",
    "check_all": "commands.instructor",
    "choice": "ui.widgets",
    "compare": "measure.comparison",
    "connect": "kube.proxy",
    "create_deployment": "kube.workloads",
    "create_service": "kube.workloads",
    "dashboard": "measure.dashboard",
    "delete": "kube.deletion",
    "diagnose": "diagnosis.report",
    "each_pod": "ollama.access_log",
    "events": "kube.tables",
    "exec": "kube.exec",
    "fits": "measure.fits",
    "generate": "ollama.completion",
    "get": "kube.tables",
    "goto": "lessons.reset.goto",
    "helm_uninstall": "kube.helm",
    "helm_upgrade": "kube.helm",
    "hey": "ollama.hey",
    "hint": "lessons.hints",
    "load_test": "lessons.likely_cause",
    "logs": "kube.pod_logs",
    "manifest": "kube.apply",
    "metrics": "measure.prometheus",
    "mirrored": "ollama.mirror_log",
    "models": "ollama.local_models",
    "plant": "lessons.fault",
    "processes": "ollama.processes",
    "ps": "ollama.running_models",
    "pull": "ollama.local_models",
    "reset": "lessons.reset.goto",
    "restart": "ollama.in_progress",
    "rollout": "kube.wait",
    "run": "kube.pod_run",
    "scale": "ollama.in_progress",
    "show": "ollama.local_models",
    "slow_model": "ollama.models",
    "solution": "lessons.hints",
    "solved": "lessons.checks",
    "start": "lessons.progress",
    "status": "commands.instructor",
    "step_buttons": "commands.instructor",
    "stop": "ollama.running_models",
    "timeline": "ollama.timeline",
    "timetable": "commands.instructor",
    "top": "measure.top",
    "troubles": "commands.instructor",
    "try_way": "lessons.trials",
    "wait": "kube.wait",
    "ways": "lessons.trials",
}

__all__ = ["model", *_HOMES]

# Ollama takes a name with a host only when it has three parts: HOST:PORT/LIBRARY/NAME.
_DEFAULT_MODEL = "models.lab-system:5001/library/lab-llama"


def __getattr__(name: str) -> object:
    if name == "model":
        return os.environ.get("MODEL") or _DEFAULT_MODEL
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"labkit.{_HOMES[name]}"), name)
    text = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(text, name=name, obj=sys.modules[__name__])


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
