#!/usr/bin/env bash
# kubectl's JSONPath (client-go 0.37.2): "the first three" of a list of two is an error, not two.
#
# Guess: a slice is cut to the length of the list, as in RFC 9535, Python and jq: {.items[:3]} of two Pods is
# these two, {.items[-3:]} too, and {.items[3:]} is nothing.
# Seen (k8s.io/client-go 0.37.2, which is kubectl's; jsonpath-ng 1.16.0; Go 1.26): each of the three is
# "array index out of bounds", though missing keys are allowed, as kubectl allows them. One list that is too
# short makes the whole expression fail: with {.items[*].spec.containers[:2].name} the Pod that has two
# containers is not printed either. kubectl 1.37.2, tried by hand, prints the error and ends with 1.
# Matters to: people with scripts that print the first or last three Pods or events. They work as long as
# there are three, and fail in a namespace that is almost empty.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jsonpath-ng==1.16.0

cat >go.mod <<'MOD'
module example.invalid/jsonpath

go 1.26

require k8s.io/client-go v0.37.2
MOD
cat >pods.json <<'JSON'
{"items": [{"metadata": {"name": "a"}, "spec": {"containers": [{"name": "web"}]}},
           {"metadata": {"name": "b"}, "spec": {"containers": [{"name": "web"}, {"name": "model"}]}}]}
JSON
cat >main.go <<'GO'
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/util/jsonpath"
)

// print what kubectl's JSONPath finds, or its error
func main() {
	var pods any
	data, _ := os.ReadFile("pods.json")
	if err := json.Unmarshal(data, &pods); err != nil {
		panic(err)
	}
	path := jsonpath.New("path").AllowMissingKeys(true)
	if err := path.Parse(os.Args[1]); err != nil {
		panic(err)
	}
	var found strings.Builder
	if err := path.Execute(&found, pods); err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println(found.String())
}
GO
go build -o find . 2>go.log || { cat go.log; exit 1; }
cat >other.py <<'PY'
import json
import sys

from jsonpath_ng import parse

print(*(match.value for match in parse("$" + sys.argv[1][1:-1]).find(json.load(open("pods.json")))))
PY

seen=""
for path in '{.items[:2].metadata.name}' '{.items[:3].metadata.name}' '{.items[-3:].metadata.name}' \
    '{.items[3:].metadata.name}' '{.items[*].spec.containers[:2].name}'; do
    kubectl=$(./find "$path")
    other=$(venv/bin/python other.py "$path")
    echo "$path: kubectl's \"$kubectl\", jsonpath-ng \"$other\""
    case $kubectl in "error: array index out of bounds"*) kubectl=error ;; esac
    seen+="$kubectl=$other;"
done
if [ "$seen" = "a b=a b;error=a b;error=a b;error=;error=web web model;" ]; then
    echo "as found: a slice that is longer than the list is an error"
else
    echo "it has changed"
    exit 1
fi
