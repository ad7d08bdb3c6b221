#!/usr/bin/env bash
# CEL: two Python packages decide plain policies differently from cel-go 0.29.2, the API server's CEL.
#
# Guess: CEL has a specification and conformance tests. A ValidatingAdmissionPolicy that a Python test finds
# true, false or in error is the same in Kubernetes, at least for has(), exists(), size() and string().
# Seen (cel-go 0.29.2, which Kubernetes 1.37.2 uses; cel-python 0.5.0; common-expression-language 0.10.0,
# which is written in Rust), for one object:
#   has(spec.strategy.type) without a strategy is an error in Go and Rust, false in cel-python
#   containers[-1] is an error in Go and Rust, the last container in cel-python
#   string(true) is "true" in Go, "True" in cel-python, an unknown function in Rust
#   exists() is true in Go and cel-python when one container matches and another lacks the field; in Rust it
#     is an error, unless the match comes first
#   size("größe") is 5 in Go and cel-python, 7 in Rust, which counts bytes
#   string(duration("90m")) is "5400s" in Go and cel-python, "1h30m0s" in Rust
# Each package differs from the API server three times or more, at other places.
# Matters to: people who test admission policies with pytest. In Kubernetes an error denies the request with
# the default failurePolicy, so a policy that is allowed in the test denies every request.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cel-python==0.5.0
mkdir rust
venv/bin/pip install --quiet --disable-pip-version-check --target rust common-expression-language==0.10.0

cat >go.mod <<'MOD'
module example.invalid/cel

go 1.26

require github.com/google/cel-go v0.29.2
MOD
cat >object.json <<'JSON'
{"metadata": {"annotations": {"note": "größe"}},
 "spec": {"paused": true,
          "containers": [{"name": "web"}, {"name": "model", "resources": {"limits": {"memory": "1Gi"}}}]}}
JSON
cat >policies.txt <<'CEL'
!has(object.spec.strategy.type)
object.spec.containers[-1].name == "model"
"paused-" + string(object.spec.paused) == "paused-true"
object.spec.containers.exists(c, c.resources.limits.memory == "1Gi")
size(object.metadata.annotations.note) <= 5
string(duration("90m")) == "5400s"
object.spec.containers.all(c, has(c.name))
CEL

cat >main.go <<'GO'
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"github.com/google/cel-go/cel"
)

// print true, false or error for each policy
func main() {
	var object any
	data, _ := os.ReadFile("object.json")
	if err := json.Unmarshal(data, &object); err != nil {
		panic(err)
	}
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType))
	if err != nil {
		panic(err)
	}
	policies, _ := os.Open("policies.txt")
	for lines := bufio.NewScanner(policies); lines.Scan(); {
		checked, problems := env.Compile(lines.Text())
		if problems.Err() != nil {
			panic(problems.Err())
		}
		program, err := env.Program(checked)
		if err != nil {
			panic(err)
		}
		if verdict, _, err := program.Eval(map[string]any{"object": object}); err != nil {
			fmt.Println("error")
		} else {
			fmt.Println(verdict.Value())
		}
	}
}
GO
go build -o policies . 2>go.log || { cat go.log; exit 1; }
./policies >go.txt

cat >python.py <<'PY'
import json

import celpy
from celpy.adapter import json_to_cel

thing = json_to_cel(json.load(open("object.json")))
for line in open("policies.txt"):
    env = celpy.Environment()
    try:
        print(str(bool(env.program(env.compile(line)).evaluate({"object": thing}))).lower())
    except celpy.CELEvalError:
        print("error")
PY
venv/bin/python python.py >python.txt

cat >rust.py <<'PY'
import json

import cel

thing = json.load(open("object.json"))
for line in open("policies.txt"):
    try:
        print(str(cel.evaluate(line, {"object": thing})).lower())
    except (KeyError, IndexError, RuntimeError):
        print("error")
PY
PYTHONPATH=rust venv/bin/python rust.py >rust.txt

echo "cel-go | cel-python | common-expression-language | policy"
paste -d '|' go.txt python.txt rust.txt policies.txt
seen=$(paste -d ' ' go.txt python.txt rust.txt | tr '\n' ',')
expected="error true error,error true error,true false error,true true error,true true false,true true false,"
if [ "$seen" = "${expected}true true true," ]; then
    echo "as found: six of seven policies have different verdicts"
else
    echo "it has changed"
    exit 1
fi
