"""What a container runs and with what: home folder, command, OLLAMA_HOST, Secrets, rights."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.diagnosis import symptoms
from labkit.diagnosis.facts import (
    Facts,
    container_of,
    containers,
    env,
    inits,
    mains,
    status_of,
    statuses_of,
    words,
)
from labkit.diagnosis.mistake import SHOWN, Mistake
from labkit.diagnosis.symptoms import named

_NO_HOME = re.compile(
    r"\$HOME is not defined|could not create directory mkdir \S+: [^\n\"]+"
    r"|(?:mkdir|open) \S*/?\.ollama\S*: (?:permission denied|read-only file system)"
)
_ASKS = re.compile(r"\bollama\s+(?:pull|run|create|list|ps|show)\b")
_SERVES = re.compile(r"\bollama\s+serve\b|/bin/ollama\s+serve\b")
_BACKGROUND = re.compile(r"\bollama\s+serve\b[^&|;\n]*&(?!&)")
_WAITS = re.compile(r"\b(?:wait|fg|tail\s+-[fF]|sleep\s+inf\w*)\b")
_NO_SERVER = re.compile(
    r"could not connect to ollama server|could not connect to ollama app"
    r"|(?:127\.0\.0\.1|localhost|\[::1\]):11434[^\n]*connection refused"
)
_CONFIG = re.compile(
    r"(?:secret|configmap)s? \"[^\"]+\" not found"
    r"|couldn't find key \S+ in (?:Secret|ConfigMap) [^\s,]+"
    r"|references non-existent (?:secret|config) key: \S+"
)
_ROOT = re.compile(
    r"container has runAsNonRoot and image (?:will run as root|has non-numeric user \([^)]*\))"
)
_ARCH = re.compile(r"exec format error|no match for platform in manifest")
_INOTIFY = re.compile(
    r"[^\n]*(?:inotify|fsnotify)[^\n]*too many open files|[^\n]*inotify_init[^\n]*"
    r"|too many open files[^\n]*(?:inotify|fsnotify)[^\n]*"
)
_WAITS_LONG_S = 30.0


def fails(pod: dict, name: str) -> bool:
    """Does that container end, or wait for its next start after an end?"""
    status = status_of(pod, name)
    state = status.get("state", {})
    ended = state.get("terminated", {})
    again = "waiting" in state and "terminated" in status.get("lastState", {})
    return bool(ended and (ended.get("exitCode") or status.get("restartCount"))) or again


def _failing(facts: Facts) -> Iterator[tuple[dict, dict, str]]:
    """Pod, container and log of each container that ends again and again, or in an error."""
    for pod in facts.pods:
        for container in containers(pod):
            if fails(pod, container["name"]):
                place = (pod["metadata"]["name"], container["name"])
                yield pod, container, facts.logs.get(place, "")


def home(facts: Facts) -> str:
    """The folder for Ollama's key and models cannot be written."""
    for pod, container, log in _failing(facts):
        ended = _last_message(pod, container["name"])
        if found := _NO_HOME.search(log) or _NO_HOME.search(ended):
            context = _rights(pod, container)
            return f"{named(pod)}, container {container['name']}: {found[0]}{context}"
    found = _NO_HOME.search(facts.error)
    return f"a command reported: {found[0]}" if found else ""


def _rights(pod: dict, container: dict) -> str:
    given = {**pod["spec"].get("securityContext", {}), **container.get("securityContext", {})}
    said = [
        f"{key}={given[key]}" for key in ("runAsUser", "readOnlyRootFilesystem") if key in given
    ]
    home = env(container).get("HOME")
    return f" ({', '.join([*said, f'HOME={home}' if home else 'no HOME in env'])})"


def _last_message(pod: dict, name: str) -> str:
    status = status_of(pod, name)
    states = (status.get("state", {}), status.get("lastState", {}))
    said = [
        one.get(key, {}).get("message", "") for one in states for key in ("terminated", "waiting")
    ]
    return " ".join(filter(None, said))


def init_without_server(facts: Facts) -> str:
    """An init container that uses Ollama's words for clients, before any server runs."""
    for pod in facts.pods:
        if any(
            "ollama" in one.get("image", "") for one in mains(pod)[len(pod["spec"]["containers"]) :]
        ):
            continue  # a sidecar that started before may be the server
        for container in inits(pod):
            line, name = words(container), container["name"]
            own = f"ollama {line}" if "ollama" in container.get("image", "") else line
            if not (_ASKS.search(line) or _ASKS.match(own)) or _SERVES.search(line):
                continue
            host, _ = symptoms.address(env(container).get("OLLAMA_HOST", ""))
            if "OLLAMA_HOST" in env(container) and not _is_loopback(host):
                continue
            log = facts.logs.get((pod["metadata"]["name"], name), "")
            if (fails(pod, name) and (_NO_SERVER.search(log) or not log.strip())) or (
                _runs_long(facts, pod, name)
            ):
                return f"{named(pod)}: init container {name} runs `{line}`, and no server runs yet"
    return ""


def _is_loopback(host: str) -> bool:
    return host in ("", "localhost", "::1", "0.0.0.0", "::") or host.startswith("127.")


def _runs_long(facts: Facts, pod: dict, name: str) -> bool:
    begun = status_of(pod, name).get("state", {}).get("running", {}).get("startedAt")
    return bool(begun) and symptoms.seconds_since(facts, begun) >= _WAITS_LONG_S


def background(facts: Facts) -> str:
    """`ollama serve &`, after which the shell ends, or pulls before the server is there."""
    for pod, container, log in _failing(facts):
        line = words(container)
        found = _BACKGROUND.search(line)
        if not found or _WAITS.search(line[found.end() :]) or container in inits(pod):
            continue
        code = _exit_code(pod, container["name"])
        said = _NO_SERVER.search(log)
        if code == 0 or said:
            why = said[0] if said else f"exit code {code}"
            return f"{named(pod)}: `{found[0].strip()}`, then the shell ended ({why})"
    return ""


def _exit_code(pod: dict, name: str) -> int | None:
    status = status_of(pod, name)
    for state in (status.get("state", {}), status.get("lastState", {})):
        if "terminated" in state:
            code: int | None = state["terminated"].get("exitCode")
            return code
    return None


def host_value(facts: Facts) -> str:
    """OLLAMA_HOST whose scheme or missing port leads to another port than the one that listens."""
    for pod in facts.pods:
        server = container_of(pod)
        for container in containers(pod):
            value = env(container).get("OLLAMA_HOST", "")
            host, port = symptoms.address(value)
            where = f"{named(pod)}, container {container['name']}: OLLAMA_HOST={value}"
            if container is server:
                if _listens_elsewhere(facts, pod, value):
                    return f"{where} makes Ollama listen on port {port}"
            elif value and (known := _ports(facts, host)) and port not in known:
                return f"{where} is port {port}, and service/{host} has {known}"
    return ""


def _listens_elsewhere(facts: Facts, pod: dict, value: str) -> bool:
    """Is it a scheme without a port, and does nothing lead to the port that this means?"""
    _, port = symptoms.address(value)
    is_told = value.rstrip("/").endswith(f":{port}")
    is_usual = "://" in value and port in (80, 443) and not is_told
    return (
        is_usual and not _leads_to(facts, pod, port) and pod["metadata"]["name"] not in facts.held
    )


def _ports(facts: Facts, host: str) -> list[int]:
    name, _, rest = host.partition(".")
    if rest.partition(".")[0] not in ("", facts.namespace):
        return []
    for service in facts.services:
        if service["metadata"]["name"] == name and service["spec"].get("clusterIP") != "None":
            return [port["port"] for port in service["spec"].get("ports", [])]
    return []


def _leads_to(facts: Facts, pod: dict, port: int) -> bool:
    return any(
        symptoms.number_of(pod, one.get("targetPort", one["port"])) == port
        for service in facts.services
        if pod in symptoms.selected(facts, service)
        for one in service["spec"].get("ports", [])
    )


def config(facts: Facts) -> str:
    for pod in facts.pods:
        if symptoms.age_s(facts, pod) < symptoms.SETTLED_S:
            continue  # what was applied together may come a moment later
        for status in statuses_of(pod):
            waiting = status.get("state", {}).get("waiting", {})
            found = _CONFIG.search(waiting.get("message", ""))
            if found and waiting.get("reason") == "CreateContainerConfigError":
                return f"{named(pod)}, container {status['name']}: {found[0]}"
        if found := _mount(facts, pod, _CONFIG):
            return f"{named(pod)}: {found}"
    return ""


def _mount(facts: Facts, pod: dict, pattern: re.Pattern) -> str:
    """What its latest FailedMount says, while it waits for its volumes."""
    reasons = ("FailedMount", "Pulling", "Pulled", "Created")
    told = [one for one in facts.told(pod) if one.get("reason") in reasons]
    if pod.get("status", {}).get("phase") != "Pending" or not told:
        return ""
    if told[-1]["reason"] != "FailedMount":
        return ""
    found = pattern.search(told[-1].get("message", ""))
    return found[0] if found else ""


def as_root(facts: Facts) -> str:
    for pod in facts.pods:
        for status in statuses_of(pod):
            said = status.get("state", {}).get("waiting", {}).get("message", "")
            if found := _ROOT.search(said):
                return f"{named(pod)}, container {status['name']}: {found[0]}"
    return ""


def architecture(facts: Facts) -> str:
    for pod, container, log in _failing(facts):
        said = f"{_last_message(pod, container['name'])} {log}"
        if found := _ARCH.search(said):
            return f"{named(pod)}, container {container['name']}: {found[0]}"
    for pod in facts.pods:
        for status in statuses_of(pod):
            waiting = status.get("state", {}).get("waiting", {})
            if found := _ARCH.search(waiting.get("message", "")):
                return f"{named(pod)}, container {status['name']}: {found[0]}"
    return ""


def inotify(facts: Facts) -> str:
    if found := _INOTIFY.search(facts.error):
        return f"a command reported: {symptoms.end_of(found[0])}"
    for pod, container, log in _failing(facts):
        if found := _INOTIFY.search(log):
            where = f"{named(pod)}, container {container['name']}"
            return f"{where}: {symptoms.end_of(found[0])}"
    return ""


ROWS = (
    Mistake(
        "home-not-writable",
        "could not create directory mkdir /.ollama: permission denied; $HOME is not defined;"
        " read-only file system",
        "Ollama writes its key and its models below $HOME, and its user may not write there",
        "mount a volume (emptyDir or a claim) and set HOME to it; with another user also fsGroup;"
        " k8s/steps/05-sidecar does so",
        "kubectl logs deployment/ollama --previous",
        "the last words of containers that end; securityContext and HOME",
        home,
        unless="the folder of HOME is a volume that this user may write",
        rules_out=("misspelt-command", "hook-before-server", "hook-misspelt-model"),
    ),
    Mistake(
        "init-without-server",
        "Init:Error, Init:CrashLoopBackOff: could not connect to ollama server",
        "an init container runs before the main ones: there is no server yet that could pull",
        "start one in it, as k8s/steps/05-init: `ollama serve & … ollama pull NAME`; or a hook",
        "kubectl logs deployment/ollama --container=NAME",
        "commands of init containers, how they ended, their logs",
        init_without_server,
        sure=SHOWN,
        unless="its OLLAMA_HOST names an Ollama that runs elsewhere",
        rules_out=("misspelt-command", "misspelt-name", "wrong-service-port", "background-server"),
    ),
    Mistake(
        "background-server",
        "CrashLoopBackOff or Completed, exit code 0: a command with `ollama serve &`",
        "the shell puts the server in the background, and the container ends with the shell;"
        " or a fixed sleep is too short for the server",
        "end with `wait`; and wait until the server answers, not for a fixed time",
        "kubectl get deployment/ollama --output=jsonpath={..command}",
        "the container's command, how it ended, its log",
        background,
        unless="the command ends with wait, or with the server in the foreground",
        rules_out=("misspelt-command",),
    ),
    Mistake(
        "ollama-host-port",
        "OLLAMA_HOST=http://… : connection refused, and the server listens on port 80",
        "with a scheme and without a port OLLAMA_HOST means port 80 or 443, and 11434 otherwise",
        "write the port: OLLAMA_HOST=0.0.0.0:11434 for the server, http://ollama:11434 for clients",
        "kubectl get pods --output=yaml",
        "OLLAMA_HOST of each container, the ports of Services",
        host_value,
        sure=SHOWN,
        unless="the value has a port, or a Service leads to port 80 of this Pod",
        rules_out=(
            "probe-wrong-port",
            "wrong-target-port",
            "wrong-service-port",
            "pods-not-ready",
            "ollama-host-loopback",
        ),
    ),
    Mistake(
        "config-missing",
        'CreateContainerConfigError, FailedMount: secret or configmap "…" not found',
        "the Pod names a Secret, a ConfigMap or a key in it that is not in its namespace",
        "create it, correct its name, or set optional: true",
        "kubectl get secrets,configmaps",
        "the state of its containers, events FailedMount",
        config,
        unless="it is listed in the Pod's own namespace, with that key",
    ),
    Mistake(
        "image-runs-as-root",
        "CreateContainerConfigError: container has runAsNonRoot and image will run as root",
        "runAsNonRoot is set, and the image's own user is root",
        "set runAsUser to a number, and HOME to a folder that this user may write",
        "kubectl describe pods",
        "the state of its containers",
        as_root,
        unless="runAsUser is a number other than 0",
        rules_out=("misspelt-command",),
    ),
    Mistake(
        "wrong-architecture",
        "exec format error; no match for platform in manifest",
        "the image is for another kind of processor than the node's",
        "use an image for this architecture, or a nodeSelector kubernetes.io/arch",
        "kubectl get nodes -o wide",
        "how containers ended, their logs, the kubelet's message about the image",
        architecture,
        unless="the image's index lists the node's architecture",
        rules_out=("misspelt-command", "misspelt-image", "unknown-tag", "registry-down"),
    ),
    Mistake(
        "inotify-limit",
        "too many open files, inotify_init, failed to create fsnotify watcher",
        "the host's limit of inotify instances is used up: all nodes of a kind cluster share it",
        "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
        "kubectl logs --namespace=kube-system daemonset/kube-proxy",
        "the error; logs of containers that end",
        inotify,
        unless="sysctl fs.inotify.max_user_instances is 512 or more",
        rules_out=("misspelt-command",),
    ),
)
