"""How long does `lab.get("pods")` take for 500 Pods, next to `kubectl get pods`?

Both ask the same server on this machine, which gives the recorded answer of the lab's API
server, its Pods repeated until they are 500. Needs the running lab, to record from.

    python bench/get.py             milliseconds of each, medians, their ratio
"""

import argparse
import contextlib
import copy
import http.server
import io
import json
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import ClassVar

import yaml

from labkit.kube import session, tables
from labkit.kube.client import DISCOVERY, Api
from labkit.setup.cluster import labs

LAB = labs.Lab()
COUNT = 500


def recorded() -> dict[str, bytes]:
    """Path → what the lab's API server answered, with 500 Pods in the learner's namespace."""
    api = Api(LAB.kubeconfig)
    answers = {root: api.request("GET", root, accept=DISCOVERY) for root in ("/api", "/apis")}
    pods = f"/api/v1/namespaces/{labs.SYSTEM}/pods"
    answers[pods] = api.request("GET", pods, query={"includeObject": "Object"}, accept=tables.TABLE)
    table = answers.pop(pods)
    rows = []
    for number in range(COUNT):
        row = copy.deepcopy(table["rows"][number % len(table["rows"])])
        name = row["object"]["metadata"]["name"] = f"pod-{number}"
        row["cells"][0] = name
        rows.append(row)
    answers[f"/api/v1/namespaces/{labs.LEARNER}/pods"] = {**table, "rows": rows}
    return {path: json.dumps(answer).encode() for path, answer in answers.items()}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        body = self.answers[path]
        kind = "application/json" if "/pods" in path else DISCOVERY
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


def kubeconfig(folder: Path, port: int) -> Path:
    context = {"cluster": "recorded", "user": "recorded", "namespace": labs.LEARNER}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "recorded", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "recorded", "user": {}}],
        "contexts": [{"name": "recorded", "context": context}],
        "current-context": "recorded",
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def ours() -> float:
    begun = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        table = tables.get("pods")
        text = repr(table)
    assert len(table) == COUNT and f"pod-{COUNT - 1} " in text
    return time.perf_counter() - begun


def theirs(file: Path, home: str) -> float:
    words = [LAB.program(), "get", "pods"]
    env = {"KUBECONFIG": str(file), "HOME": home}
    begun = time.perf_counter()
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True, timeout=60)
    assert f"pod-{COUNT - 1} " in done.stdout
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=9)
    repeat = parser.parse_args().repeat
    Handler.answers = recorded()
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        file = kubeconfig(Path(folder), web.server_port)
        session._current = session.Session(labs.LEARNER, "", file)
        print(f"the answer: {max(map(len, Handler.answers.values())) / 1e6:.1f} MB")
        print(f"first lab.get, with discovery and imports: {ours() * 1000:.0f} ms")
        theirs(file, folder)  # its discovery is on disk from now on
        pairs = [(ours(), theirs(file, folder)) for _ in range(repeat)]
    web.shutdown()
    labkit, kubectl = (statistics.median(one) * 1000 for one in zip(*pairs, strict=True))
    worst = max(one for one, _ in pairs) * 1000
    print(
        f"median of {repeat}: lab.get {labkit:.0f} ms (worst {worst:.0f} ms),"
        f" kubectl get {kubectl:.0f} ms, ratio {labkit / kubectl:.2f}"
    )


if __name__ == "__main__":
    main()
