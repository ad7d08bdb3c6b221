#!/usr/bin/env bash
# sigs.k8s.io/yaml 1.6.0: KYAML changes a text with Windows line ends that has an empty line.
#
# Guess: KYAML is a subset of YAML, so every YAML parser reads back the text that was written. A carriage
# return becomes \r in a quoted string, in every line alike.
# Seen (sigs.k8s.io/yaml 1.6.0, the encoder of `kubectl -o kyaml` in kubectl 1.37.2, Go 1.26): in a text of
# several lines, KYAML puts a backslash before a line that starts with whitespace, so that the indentation
# is not lost. It takes the carriage return of an empty CRLF line for such whitespace. The line, which is
# \r\n, is written as \\r\n: a backslash, the letter r and a line end. Go's parser and PyYAML read exactly
# that. The exit code is 0. A tab at the start of a line, and CRLF without an empty line, are right.
# Matters to: people who keep a ConfigMap with a file from Windows as KYAML (`kubectl get cm -o kyaml`,
# edit, `kubectl apply`): each empty line of the file turns into the two characters \r.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyyaml==6.0.4

cat >go.mod <<'MOD'
module example.invalid/kyaml

go 1.26

require sigs.k8s.io/yaml v1.6.0
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
	"sigs.k8s.io/yaml/kyaml"
)

// write KYAML of one text to FILE, and report whether Go reads the text back
func main() {
	texts := map[string]string{
		"crlf":  "a=1\r\nb=2\r\n",
		"tab":   "a:\n\tb\n",
		"blank": "a=1\r\n\r\nb=2\r\n",
	}
	written := map[string]string{"text": texts[os.Args[1]]}
	encoded, err := (&kyaml.Encoder{}).Marshal(written)
	if err != nil {
		panic(err)
	}
	if err := os.WriteFile(os.Args[1]+".yaml", encoded, 0o600); err != nil {
		panic(err)
	}
	var read map[string]string
	if err := yaml.Unmarshal(encoded, &read); err != nil {
		panic(err)
	}
	fmt.Printf("%q %q\n", written["text"], read["text"])
}
GO
go build -o write . 2>go.log || { cat go.log; exit 1; }

same=0
for name in crlf tab blank; do
    seen=$(./write "$name")
    python=$(venv/bin/python -c 'import sys, yaml; print(ascii(yaml.safe_load(open(sys.argv[1]))["text"]))' "$name.yaml")
    echo "$name: written and read by Go $seen, read by PyYAML $python"
    read -r written back <<<"$seen"
    if [ "$written" = "$back" ]; then same=$((same + 1)); fi
done
cat blank.yaml
echo
if [ "$same" = 2 ] && [ "$(./write blank)" = '"a=1\r\n\r\nb=2\r\n" "a=1\r\n\\r\nb=2\r\n"' ] &&
    [ "$python" = "'a=1\\r\\n\\\\r\\nb=2\\r\\n'" ]; then
    echo "as found: the empty line is now a backslash and an r"
else
    echo "it has changed"
    exit 1
fi
