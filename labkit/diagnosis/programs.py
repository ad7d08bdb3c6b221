"""What a container runs and with what: home folder, command, init containers, OLLAMA_HOST."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.diagnosis import ports, symptoms
from labkit.diagnosis.facts import (
    Facts,
    container_of,
    containers,
    env,
    inits,
    mains,
    status_of,
    words,
)
from labkit.diagnosis.mistake import SHOWN, Mistake
from labkit.diagnosis.symptoms import named

_NO_HOME = re.compile(
    r"\$HOME is not defined|could not create directory mkdir \S+: [^\n\"]+"
    r"|(?:mkdir|open) \S*/?\.ollama\S*: (?:permission denied|read-only file system)"
    r"|^Error: mkdir \S+: (?:permission denied|read-only file system)",
    re.MULTILINE,
)
_ASKS = re.compile(
    r"\bollama\s+(?:pull|run|create|list|ps|show)\b"
    r"|\b(?:curl|wget)\b.*\b(?:localhost|127\.0\.0\.1):11434\b",
    re.DOTALL,
)
_SERVES = re.compile(r"\bollama\s+serve\b|/bin/ollama\s+serve\b")
# no `2>&1`, `&>` or `&&`
_BACKGROUND = re.compile(r"\bollama\s+serve\b(?:[^&|;\n]|(?<=>)&|&(?=>))*(?<!>)&(?![&>])")
_WAITS = re.compile(r"\b(?:wait|fg|tail\s+-[fF]|sleep\s+inf\w*)\b")
_NO_SERVER = re.compile(
    r"could not connect to ollama server|could not connect to ollama app"
    r"|(?:127\.0\.0\.1|localhost|\[::1\]):11434[^\n]*connection refused"
    r"|connect to (?:localhost|127\.0\.0\.1) port 11434"
)
_WAITS_LONG_S = 30.0


def fails(pod: dict, name: str) -> bool:
    """Does that container end, or wait for its next start after an end?"""
    status = status_of(pod, name)
    state = status.get("state", {})
    ended = state.get("terminated", {})
    again = "waiting" in state and "terminated" in status.get("lastState", {})
    is_over = pod.get("status", {}).get("phase") == "Succeeded" or any(
        one["name"] == name for one in inits(pod)
    )
    restarts = 0 if is_over else status.get("restartCount")
    return bool(ended and (ended.get("exitCode") or restarts)) or again


def failing(facts: Facts) -> Iterator[tuple[dict, dict, str]]:
    """Pod, container and log of each container that ends again and again, or in an error."""
    for pod in facts.pods:
        for container in containers(pod):
            if fails(pod, container["name"]):
                yield pod, container, facts.log_of(pod, container["name"])


def home(facts: Facts) -> str:
    """The folder for Ollama's key and models cannot be written."""
    for pod, container, log in failing(facts):
        ended = last_message(pod, container["name"])
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


def last_message(pod: dict, name: str) -> str:
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
            if ports.host_is_elsewhere(container) or "OLLAMA_HOST=" in line:
                continue
            host, _ = ports.address(env(container).get("OLLAMA_HOST", ""))
            if "OLLAMA_HOST" in env(container) and not _is_loopback(host):
                continue
            log = facts.log_of(pod, name)
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
    for pod, container, log in failing(facts):
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
            host, port = ports.address(value)
            where = f"{named(pod)}, container {container['name']}: OLLAMA_HOST={value}"
            if container is server and (_is_loopback(host) or host[:1].isdigit()):
                if _listens_elsewhere(facts, pod, value):
                    return f"{where} makes Ollama listen on port {port}"
            elif value and (known := _ports(facts, host)) and port not in known:
                return f"{where} is port {port}, and service/{host} has {known}"
    return ""


def _listens_elsewhere(facts: Facts, pod: dict, value: str) -> bool:
    """Is it a scheme without a port, and does nothing lead to the port that this means?"""
    _, port = ports.address(value)
    is_told = value.rstrip("/").endswith(f":{port}")
    is_usual = "://" in value and port in (80, 443) and not is_told and not facts.hides("services")
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
        ports.number_of(pod, one.get("targetPort", one["port"])) == port
        for service in facts.services
        if pod in ports.selected(facts, service)
        for one in service["spec"].get("ports", [])
    )


ROWS = (
    Mistake(
        "home-not-writable",
        "could not create directory mkdir /.ollama: permission denied, $HOME is not defined,"
        " read-only file system",
        "Ollama writes its key below $HOME, its models there or in OLLAMA_MODELS, and its user may"
        " not write there",
        "mount a volume (emptyDir or a claim) and set HOME to it, with another user also fsGroup;"
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
        "kubectl logs deployment/ollama --all-containers",
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
)
