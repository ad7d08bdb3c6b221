#!/usr/bin/env bash
# Kubernetes' YAML reader (apimachinery 0.37.2): an object after the end mark `...` is dropped silently.
#
# Guess: `...` ends a YAML document, and in YAML 1.2 another may follow it without `---`. The reader returns
# both, or refuses the file, as it refuses `--- {kind: Pod}`.
# Seen (k8s.io/apimachinery 0.37.2, whose reader kubectl uses for files, Go 1.26; yaml 2.9.1 for Node.js): the
# reader splits a file at lines that begin with `---`. `...` does not split. The part with two documents is
# given to a parser that returns the first and does not look for a second. One object is read, and the next
# call returns io.EOF. With `---` after the `...` both are read. The Node.js package reads two objects in each
# case. PyYAML 6.0.4, tried by hand, writes such files and raises an error when it reads one.
# Matters to: people who append one `yaml.dump(thing, explicit_end=True)` to another, or join files that a
# linter wants to end with `...`: `kubectl apply -f` applies the first object and ends with 0.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod
npm install --silent --no-audit --no-fund --prefix "$folder" yaml@2.9.1

cat >go.mod <<'MOD'
module example.invalid/dots

go 1.26

require k8s.io/apimachinery v0.37.2
MOD
cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/util/yaml"
)

// main prints the kinds of the objects in a file.
func main() {
	file, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(file, 4096)
	for {
		var object struct{ Kind string }
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			panic(err)
		}
		fmt.Print(object.Kind, " ")
	}
}
GO
go build -o kinds . 2>go.log || { cat go.log; exit 1; }
cat >kinds.js <<'JS'
const { readFileSync } = require("fs");
for (const document of require("yaml").parseAllDocuments(readFileSync(process.argv[2], "utf8"))) {
  if (document.errors.length) throw document.errors[0];
  process.stdout.write(`${document.toJS().kind} `);
}
JS
printf 'kind: Namespace\n...\n---\nkind: Service\n...\n' >dashes.yaml
printf 'kind: Namespace\n...\nkind: Service\n...\n' >appended.yaml
cat appended.yaml
seen=""
for name in dashes appended; do
    one=$(./kinds $name.yaml)
    other=$(node kinds.js $name.yaml)
    echo "$name.yaml: apimachinery reads $one, Node.js reads $other"
    seen+="$one/ $other/ "
done
if [ "$seen" = "Namespace Service / Namespace Service / Namespace / Namespace Service / " ]; then
    echo "as found: the object after ... is dropped"
else
    echo "it has changed: $seen"
    exit 1
fi
