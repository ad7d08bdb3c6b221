#!/usr/bin/env bash
# OpenTelemetry: baggage with a space or a plus sign changes between Python 1.45.2 and Go 1.47.0, both ways.
#
# Guess: both packages follow W3C Baggage, in which a value is percent-encoded. What one sets, the other reads.
# Seen (opentelemetry-api 1.45.2, go.opentelemetry.io/otel 1.47.0, Python 3.11, Go 1.26): Python encodes and
# decodes as a form of a web page does: a space is written as "+", and "+" is read as a space. Go writes a
# space as %20, and a plus sign, which the specification allows as it is, as "+". "a b" from Python is "a+b"
# in Go. "1+1" from Go is "1 1" in Python. Each package alone gives back what it was given, and from Go to
# Python a space is right.
# Matters to: people who pass a user's, a tenant's or a model's name as baggage through services in both
# languages. A label such as "gpu+cpu" or "team a" splits in two, and each language's own tests pass.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod
python3 -m pip install --quiet --disable-pip-version-check --target python opentelemetry-api==1.45.2

cat >go.mod <<'MOD'
module example.invalid/baggage

go 1.26

require go.opentelemetry.io/otel v1.47.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"go.opentelemetry.io/otel/baggage"
)

// main writes a value as a header, or reads the value from a header.
func main() {
	if os.Args[1] == "read" {
		parsed, err := baggage.Parse(os.Args[2])
		if err != nil {
			panic(err)
		}
		fmt.Println(parsed.Member("team").Value())
		return
	}
	member, err := baggage.NewMemberRaw("team", os.Args[2])
	if err != nil {
		panic(err)
	}
	made, err := baggage.New(member)
	if err != nil {
		panic(err)
	}
	fmt.Println(made.String())
}
GO
go build -o go-baggage . 2>go.log || { cat go.log; exit 1; }
cat >baggage.py <<'PY'
import sys

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator

way, text = sys.argv[1:]
if way == "read":
    print(baggage.get_baggage("team", W3CBaggagePropagator().extract({"baggage": text})))
else:
    carrier = {}
    W3CBaggagePropagator().inject(carrier, baggage.set_baggage("team", text))
    print(carrier["baggage"])
PY
in_go() { ./go-baggage "$@"; }
in_python() { PYTHONPATH=python python3 baggage.py "$@"; }
seen=""
for value in "a b" "1+1" "größe"; do
    from_python=$(in_python write "$value")
    from_go=$(in_go write "$value")
    one=$(in_go read "$from_python")
    other=$(in_python read "$from_go")
    echo "set \"$value\": Python sends $from_python, Go reads \"$one\"; Go sends $from_go, Python reads \"$other\""
    [ "$(in_python read "$from_python") $(in_go read "$from_go")" = "$value $value" ]
    seen+="$one|$other,"
done
if [ "$seen" = "a+b|a b,1+1|1 1,größe|größe," ]; then
    echo "as found: a space changes from Python to Go, a plus sign from Go to Python"
else
    echo "it has changed: $seen"
    exit 1
fi
