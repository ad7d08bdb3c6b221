#!/usr/bin/env bash
# kubernetes 37.0.2 (Python): a Lease that was acquired at a whole second can be read, and never written.
#
# Guess: a datetime is sent as RFC 3339, which the API server reads with and without a fraction. A Lease that
# the server gave out can be put back unchanged, and a dict is sent as it is. LeaseLock has a test for times
# without microseconds, so it renews any Lease that it reads.
# Seen (kubernetes 37.0.2, k8s.io/api 0.37.2, Python 3.11, Go 1.26): Kubernetes' MicroTime wants exactly six
# digits after the point. The client sends datetime.isoformat(), which has six digits, or none when the
# microseconds are 0. It turns a dict into its model first, so "12:00:00.000000Z" in a dict is sent as
# "12:00:00+00:00" as well. Kubernetes' types refuse that, which a client gets as 400. LeaseLock keeps the
# time of acquisition while it leads: no renewal of such a Lease is accepted, and leadership is lost.
# Matters to: people who write controllers in Python. A time cut to seconds, or a Lease that another client
# made with a round time, fails each time, and datetime.now() once in a million times. A mock shows neither.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kubernetes==37.0.2

cat >go.mod <<'MOD'
module example.invalid/lease

go 1.26

require (
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
)
MOD
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"time"

	coordination "k8s.io/api/coordination/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// keep one Lease as an API server does: its own types read and write it, what they refuse is a 400
func main() {
	var kept *coordination.Lease
	reply := func(w http.ResponseWriter, code int32, text string) {
		w.WriteHeader(int(code))
		json.NewEncoder(w).Encode(meta.Status{Status: "Failure", Code: code, Message: text})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	server := http.Server{ReadTimeout: 10 * time.Second}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Method != http.MethodGet {
			sent := &coordination.Lease{}
			if err := json.NewDecoder(r.Body).Decode(sent); err != nil {
				reply(w, 400, err.Error())
				return
			}
			kept = sent
		}
		if kept == nil {
			reply(w, 404, "not found")
			return
		}
		json.NewEncoder(w).Encode(kept)
	})
	panic(server.Serve(listener))
}
GO
go build -o server . 2>go.log || { cat go.log; exit 1; }
./server >address &
for _ in {1..100}; do [ -s address ] && break; sleep 0.1; done

venv/bin/python - "$(cat address)" <<'PY'
import http.client
import json
import sys
from collections.abc import Callable
from datetime import datetime

from kubernetes import client
from kubernetes.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

configuration = client.Configuration(host="http://" + sys.argv[1])
configuration.no_proxy = "*"
client.Configuration.set_default(configuration)
api = client.CoordinationV1Api()


def answer(call: Callable, *arguments: object) -> str:
    """What the server says to a call: "written", or its refusal."""
    try:
        call(*arguments)
        return "written"
    except client.ApiException as error:
        return f"{error.status} {json.loads(error.body)['message']}"


def tried(acquired: str) -> list:
    """A Lease acquired at a time: sent as a dict, put back unchanged, renewed three times by its leader."""
    spec = {"holderIdentity": "me", "leaseDurationSeconds": 15, "acquireTime": acquired, "renewTime": acquired}
    lease = {"metadata": {"name": "lead"}, "spec": spec}
    results = [answer(api.create_namespaced_lease, "default", lease)]

    other = http.client.HTTPConnection(sys.argv[1])
    other.request("PUT", "/", json.dumps(lease))
    assert other.getresponse().status == 200, "any other client writes it"
    results.append(
        answer(lambda: api.replace_namespaced_lease("lead", "default", api.read_namespaced_lease("lead", "default")))
    )

    lock, done = LeaseLock("lead", "default", "me"), []
    for second in range(3):
        _, record = lock.get("lead", "default")
        now = str(datetime.fromtimestamp(1_782_907_200.25 + second))
        done.append(lock.update("lead", "default", LeaderElectionRecord("me", "15", record.acquire_time, now)))
    return [*results, done]


part, whole = tried("2026-07-01T12:00:00.000001Z"), tried("2026-07-01T12:00:00.000000Z")
for name, results in (("12:00:00.000001Z", part), ("12:00:00.000000Z", whole)):
    print(f"acquired at {name}")
    for what, result in zip(("sent as a dict", "read and put back", "renewed by LeaseLock"), results, strict=True):
        print(f"  {what}: {result}")
refused = all(isinstance(one, str) and one.startswith("400 parsing time") for one in whole[:2])
if part != ["written", "written", [True] * 3] or not refused or any(whole[2]):
    sys.exit("it has changed")
print("as found: at the whole second nothing is accepted")
PY
