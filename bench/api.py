"""labkit/kube/client.py, next to the `kubernetes` package's own dynamic client and watch.

Both ask a stand-in API server on this machine, a process of its own; the lab is not needed.

    python bench/api.py     start, a list of 500 Pods, a watch that is too old, an API server
                            that falls silent
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

PODS = 500
GROUPS = [f"group{number}.example" for number in range(20)]  # as many as Kubernetes itself has
KINDS = ("Apple", "Berry", "Cherry", "Date")
ASKED_S, CUT_S = 3, 15  # a watch of so many seconds; then it is ended from outside
WAYS = ("kubernetes", "labkit")


def pod(name: str) -> dict:
    """About as large as a real one: 5 KB."""
    value = {"name": "main", "image": "ollama/ollama", "resources": {"limits": {"cpu": "1"}}}
    env = [{"name": f"VARIABLE_{number}", "value": f"value {number}"} for number in range(20)]
    managed = [
        {
            "manager": "kubelet",
            "fieldsV1": {f"f:field{n}": {"f:a": {}, "f:b": {}} for n in range(40)},
        }
    ]
    meta = {"name": name, "namespace": "lab", "resourceVersion": "2", "managedFields": managed}
    status = {"phase": "Running", "containerStatuses": [{"name": "main", "ready": True}]}
    spec = {"containers": [{**value, "env": env} for _ in range(2)]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def kinds(version: str) -> list[dict]:
    names = ("Pod", "Service", "ConfigMap", "Secret") if version == "v1" else KINDS
    return [
        {
            "name": f"{kind.lower()}s",
            "singularName": kind.lower(),
            "kind": kind,
            "namespaced": True,
            "verbs": ["get", "list", "watch", "create", "delete"],
        }
        for kind in names
    ]


def aggregated(group: str) -> dict:
    resources = [
        {
            "resource": one["name"],
            "singularResource": one["singularName"],
            "responseKind": {"kind": one["kind"]},
            "scope": "Namespaced",
            "verbs": one["verbs"],
        }
        for one in kinds(group or "v1")
    ]
    return {"metadata": {"name": group}, "versions": [{"version": "v1", "resources": resources}]}


def answers() -> dict[str, dict]:
    """Path → what is answered; `+` before those that ask for the aggregated discovery."""
    version = {"groupVersion": "{}/v1", "version": "v1"}
    groups = [
        {"name": name, "versions": [version | {"groupVersion": f"{name}/v1"}]} for name in GROUPS
    ]
    for group in groups:
        group["preferredVersion"] = group["versions"][0]
    found = {
        "/version": {"gitVersion": "v1.37.2"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "groups": groups},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": kinds("v1")},
        "+/api": {"items": [aggregated("")]},
        "+/apis": {"items": [aggregated(name) for name in GROUPS]},
        "/api/v1/namespaces/lab/pods": {
            "kind": "PodList",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": "2"},
            "items": [pod(f"ollama-{number}") for number in range(PODS)],
        },
        "/api/v1/namespaces/lab/pods/ollama": pod("ollama"),
    }
    for name in GROUPS:
        path, version = f"/apis/{name}/v1", f"{name}/v1"
        found[path] = {"kind": "APIResourceList", "groupVersion": version, "resources": kinds(name)}
    return found


class Handler(BaseHTTPRequestHandler):
    """Watches of namespace `old` are too old (410) where they name a version; in `silent` one
    event comes, and then nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    bodies: ClassVar = {path: json.dumps(body).encode() for path, body in answers().items()}
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/asked":
            self._send(json.dumps(sum(self.asked.values())).encode())
            self.asked.clear()
            return
        self.asked[url.path] += 1
        if "watch" in query:
            self._watch(url.path, query)
            return
        plus = "+" if "g=apidiscovery" in self.headers["Accept"] else ""
        self._send(self.bodies.get(plus + url.path) or self.bodies[url.path])

    def _send(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _watch(self, path: str, query: dict[str, list[str]]) -> None:
        gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
        is_old = "/old/" in path and query.get("resourceVersion") == ["1"]
        event = (
            {"type": "ERROR", "object": gone} if is_old else {"type": "ADDED", "object": pod("x")}
        )
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        if "/silent/" in path:
            time.sleep(60)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        return


class Cut(Exception):
    """The alarm that ends what does not end."""


def cut(*_: object) -> None:
    raise Cut


class Ours:
    """labkit's client."""

    def __init__(self, folder: Path) -> None:
        from labkit.kube.client import Api

        self.api = Api(folder / "kubeconfig")
        self.pods = self.api.resource("pods")

    def one(self) -> dict:
        return self.api.request("GET", self.pods.path("lab", "ollama"))

    def every(self) -> list[dict]:
        return self.api.request("GET", self.pods.path("lab"))["items"]

    def watch(self, namespace: str, version: str):
        query = {"resourceVersion": version}
        for news in self.api.watch(self.pods.path(namespace), query=query, timeout_s=ASKED_S):
            if news:
                yield news[0]


class Theirs:
    """The dynamic client of the package `kubernetes`."""

    def __init__(self, folder: Path) -> None:
        from kubernetes import config
        from kubernetes.dynamic import DynamicClient

        client = config.new_client_from_config(str(folder / "kubeconfig"))
        found = DynamicClient(client, cache_file=str(folder / "discovered")).resources
        self.pods = found.get(api_version="v1", kind="Pod")

    def one(self) -> dict:
        return self.pods.get(name="ollama", namespace="lab").to_dict()

    def every(self) -> list[dict]:
        return self.pods.get(namespace="lab").to_dict()["items"]

    def watch(self, namespace: str, version: str):
        found = self.pods.watch(namespace=namespace, resource_version=version, timeout=ASKED_S)
        for event in found:
            yield event["type"]


def measure(way: str, what: str, folder: Path) -> object:
    """One figure, in the process that is asked for it; seconds are those of the processor."""
    begun = time.process_time()
    client = (Ours if way == "labkit" else Theirs)(folder)
    if what == "start":
        assert client.one()["metadata"]["name"] == "ollama"
        return time.process_time() - begun
    if what == "list":
        took = []
        for _ in range(3):
            begun = time.process_time()
            assert len(client.every()) == PODS
            took.append(time.process_time() - begun)
        return statistics.median(took)
    signal.signal(signal.SIGALRM, cut)
    signal.alarm(CUT_S)
    begun, events = time.perf_counter(), []
    try:
        for event in client.watch(what, "1"):
            events.append(event)
        end = "returned"
    except Cut:
        end = "had to be ended"
    except Exception as error:
        end = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    said = ", ".join(sorted(set(events))) or "no event"
    return f"{said}; {end} after {time.perf_counter() - begun:.1f} s"


def asked(way: str, what: str, folder: Path) -> object:
    """The figure of a process of its own."""
    words = [sys.executable, "-P", __file__, "--way", way, "--what", what, "--folder", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    return json.loads(done.stdout)


def compare(folder: Path, address: str, repeat: int) -> None:
    import urllib.request

    def requests() -> int:
        with urllib.request.urlopen(f"{address}/asked", timeout=10) as answer:
            return json.load(answer)

    print(f"{'':34}" + "".join(f"{way:>14}" for way in WAYS))

    def row(name: str, values: list[str]) -> None:
        print(f"{name:34}" + "".join(f"{value:>14}" for value in values))

    for name, forgets in (("first", True), ("kinds kept in a file", False)):
        took: dict[str, list[float]] = {way: [] for way in WAYS}
        counts = {}
        for _ in range(repeat):
            if forgets:
                (folder / "discovered").unlink(missing_ok=True)
            for way in WAYS:
                requests()
                took[way].append(asked(way, "start", folder))
                counts[way] = requests()
        row(f"one Pod, {name}, CPU s", [f"{statistics.median(took[way]):.2f}" for way in WAYS])
        row("  requests for it", [str(counts[way]) for way in WAYS])
    row(
        f"list of {PODS} Pods, CPU ms", [f"{asked(way, 'list', folder) * 1000:.0f}" for way in WAYS]
    )
    for name, what in (("watch that is too old (410)", "old"), ("silent API server", "silent")):
        print(f"{name}, asked for {ASKED_S} s")
        for way in WAYS:
            print(f"  {way}: {asked(way, what, folder)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    for name in ("--serve", "--way", "--what", "--folder"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        web.daemon_threads = True
        print(web.server_port, flush=True)
        web.serve_forever()
    if options.way:
        print(json.dumps(measure(options.way, options.what, Path(options.folder))))
        return
    words = [sys.executable, "-P", __file__, "--serve", "yes"]
    with tempfile.TemporaryDirectory() as name:
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        try:
            address = f"http://127.0.0.1:{int(server.stdout.readline())}"
            config = {
                "clusters": [{"name": "x", "cluster": {"server": address}}],
                "users": [{"name": "x", "user": {}}],
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "current-context": "x",
            }
            (Path(name) / "kubeconfig").write_text(json.dumps(config))
            os.environ["NO_PROXY"] = "127.0.0.1"
            compare(Path(name), address, options.repeat)
        finally:
            server.terminate()
            server.wait(10)
            server.stdout.close()


if __name__ == "__main__":
    main()
