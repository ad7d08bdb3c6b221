#!/usr/bin/env bash
# Helm 4.3.2: `helm uninstall --wait` ends while a Deployment of the release still exists.
#
# Guess: --wait returns when all objects of the release are gone, or fails at the time limit. A Deployment that
# is deleted in the foreground exists until its Pods are gone, so --wait lasts as long.
# Seen (Helm 4.3.2, Go 1.26): Helm watches the kinds of the release apart from each other. Until a kind's
# first answer has come, its objects count as "unknown", and "unknown" counts as gone. When the Service is
# seen to be gone before the list of Deployments has arrived, the wait is over: "uninstalled", exit code 0,
# and the Deployment is there for seconds more. `--wait=legacy` asks for each object, and waits.
# Matters to: scripts that uninstall and install again. The new release meets objects that are being deleted,
# and what it has applied to them disappears. It depends on which answer comes first, so it comes and goes.
# The server here speaks the API for two kinds and one release; its list of Deployments takes one second, as
# on a busy cluster, and the Deployment is gone six seconds after its deletion.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/gocache" GOFLAGS=-mod=mod
export HELM_CONFIG_HOME="$folder/config" HELM_CACHE_HOME="$folder/cache" HELM_DATA_HOME="$folder/data"
printf 'module example.invalid/helm\n\ngo 1.26\n' >go.mod
{
    go get helm.sh/helm/v4/cmd/helm@v4.3.2
    go build -o helm helm.sh/helm/v4/cmd/helm
} >go.log 2>&1 || { cat go.log; exit 1; }

cat >server.py <<'PY'
import base64
import gzip
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

GOES_S = 6.0  # from the DELETE of the Deployment until its Pods, and then it, are gone
LIST_S = 1.0  # what a list of Deployments takes
MANIFEST = """\
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
"""
OBJECTS = {
    "services": {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}},
    "deployments": {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}, "status": {}},
}
for one in OBJECTS.values():
    one["metadata"] = {
        "name": "web", "namespace": "default", "uid": "u-1", "resourceVersion": "5",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default"}}
INFO = {"first_deployed": "2026-01-01T00:00:00Z", "last_deployed": "2026-01-01T00:00:00Z", "deleted": "",
        "description": "Install complete", "status": "deployed"}
CHART = {"metadata": {"name": "web", "version": "1.0.0", "apiVersion": "v2"}}
RELEASE = {"name": "web", "namespace": "default", "version": 1, "manifest": MANIFEST, "info": INFO, "chart": CHART}
DATA = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(RELEASE).encode()))).decode()
LABELS = {"name": "web", "owner": "helm", "status": "deployed", "version": "1"}
SECRETS = {"sh.helm.release.v1.web.v1": {
    "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1", "data": {"release": DATA},
    "metadata": {"name": "sh.helm.release.v1.web.v1", "namespace": "default", "labels": LABELS, "uid": "u-2", "resourceVersion": "1"}}}
DELETED = {}
KINDS = {
    "services": {"apiVersion": "v1", "kind": "Service"},
    "deployments": {"apiVersion": "apps/v1", "kind": "Deployment"}}


def kinds(*rows):
    return [{"name": name, "singularName": "", "namespaced": True, "kind": kind,
             "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]} for name, kind in rows]


def there(name):
    if name == "deployments" and time.monotonic() - DELETED.get(name, time.monotonic()) > GOES_S:
        OBJECTS.pop(name, None)
    return OBJECTS.get(name)


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, value, code=200):
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def no(self, code=404):
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": code,
                     "message": "not found"}, code)

    def read(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        url = urlsplit(self.path)
        parts, query = url.path.strip("/").split("/"), parse_qs(url.query)
        if url.path == "/version":
            self.answer({"major": "1", "minor": "37", "gitVersion": "v1.37.2"})
        elif url.path == "/api":
            self.answer({"kind": "APIVersions", "versions": ["v1"]})
        elif url.path == "/apis":
            version = {"groupVersion": "apps/v1", "version": "v1"}
            group = {"name": "apps", "versions": [version], "preferredVersion": version}
            self.answer({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]})
        elif url.path == "/apis/apps":
            version = {"groupVersion": "apps/v1", "version": "v1"}
            self.answer({"kind": "APIGroup", "apiVersion": "v1", "name": "apps", "versions": [version],
                         "preferredVersion": version})
        elif url.path == "/api/v1":
            rows = kinds(("services", "Service"), ("secrets", "Secret"))
            self.answer({"kind": "APIResourceList", "groupVersion": "v1", "resources": rows})
        elif url.path == "/apis/apps/v1":
            rows = kinds(("deployments", "Deployment"))
            self.answer({"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": rows})
        elif "watch" in query:
            self.watch(parts[-1], float(query.get("timeoutSeconds", ["60"])[0]))
        elif parts[-1] == "secrets":
            self.answer({"kind": "SecretList", "apiVersion": "v1", "metadata": {"resourceVersion": "9"},
                         "items": list(SECRETS.values())})
        elif parts[-2] == "secrets":
            self.answer(SECRETS[parts[-1]]) if parts[-1] in SECRETS else self.no()
        elif parts[-1] in ("services", "deployments"):
            if parts[-1] == "deployments":
                time.sleep(LIST_S)
            found = there(parts[-1])
            self.answer({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "9"},
                         "items": [found] if found else []})
        else:
            found = there(parts[-2])
            self.answer(found) if found else self.no()

    def watch(self, name, seconds):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if name == "deployments":
            time.sleep(LIST_S)
        last = there(name)
        if last:
            self.event("ADDED", last)
        ends = {"resourceVersion": "9", "annotations": {"k8s.io/initial-events-end": "true"}}
        self.event("BOOKMARK", {**KINDS[name], "metadata": ends})
        end = time.monotonic() + min(seconds, 60)
        while time.monotonic() < end:
            now = there(name)
            if last and not now:
                self.event("DELETED", last)
            last = now
            time.sleep(0.1)
        self.wfile.write(b"0\r\n\r\n")

    def event(self, kind, item):
        line = json.dumps({"type": kind, "object": item}).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    def do_DELETE(self):
        parts = urlsplit(self.path).path.strip("/").split("/")
        self.read()
        if parts[-2] == "secrets":
            SECRETS.pop(parts[-1], None)
        elif parts[-2] == "services":
            OBJECTS.pop("services", None)
        elif there("deployments"):
            OBJECTS["deployments"]["metadata"] |= {
                "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["foregroundDeletion"]}
            DELETED.setdefault("deployments", time.monotonic())
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def do_PUT(self):  # Helm marks its record as uninstalling
        self.read()
        self.answer(next(iter(SECRETS.values())))

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
with open(sys.argv[1], "w") as file:
    file.write(str(server.server_port))
server.serve_forever()
PY

# how long `helm uninstall` took, and the status of the Deployment after it
uninstall() {
    rm -f port
    python3 server.py port &
    local server=$!
    for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
    local url
    url="http://127.0.0.1:$(cat port)"
    printf 'apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: "%s"}}]\n' "$url" >kubeconfig
    printf 'contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n' >>kubeconfig
    local begun=$SECONDS
    KUBECONFIG=kubeconfig ./helm uninstall web "$1" --cascade=foreground --timeout 30s >&2
    local took=$((SECONDS - begun)) code
    code=$(curl --silent --output /dev/null --write-out '%{http_code}' "$url/apis/apps/v1/namespaces/default/deployments/web")
    kill "$server"
    wait "$server" 2>/dev/null || true
    echo "$took s, then the Deployment: HTTP $code"
}
./helm version --short
new=$(uninstall --wait)
legacy=$(uninstall --wait=legacy)
echo "--wait:         $new"
echo "--wait=legacy:  $legacy"
case "$new/$legacy" in
    *"HTTP 200/"*"HTTP 404") echo "as found: --wait ends before the Deployment does" ;;
    *) echo "it has changed"; exit 1 ;;
esac
