#!/usr/bin/env bash
# Ollama 0.34.2: a printed Modelfile loses quotation marks, or cannot be read, if a text begins with one.
#
# Guess: Ollama's own parser reads back what Ollama prints, so `ollama show --modelfile` gives a file that
# `ollama create` turns into the same model.
# Seen (github.com/ollama/ollama 0.34.2, its package parser, Go 1.26): a text is printed with quotation marks
# around it only if it has several lines, or a space at an end. A text of one line that begins with a
# quotation mark is printed as it is, and the reader takes that mark for a delimiter. "yes" in quotation marks
# comes back without them. "one" or "two" comes back without the first and the last. "Short" is your motto
# is refused: unexpected EOF. A text of two lines, or with the mark further inside, comes back as it was.
# Matters to: people who keep models as Modelfiles: a SYSTEM that cites, or a MESSAGE whose answer is a JSON
# string, changes without an error, and the model is shown an example with another format.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod

cat >go.mod <<'MOD'
module example.invalid/modelfile

go 1.26

require github.com/ollama/ollama v0.34.2
MOD
cat >main.go <<'GO'
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/ollama/ollama/parser"
)

// main prints what becomes of each text that is read, printed and read again.
func main() {
	texts := []string{
		`Answer "yes" or "no"`, "\"yes\"\nor \"no\"", `"yes"`, `"one" or "two"`, `"Short" is your motto`,
	}
	expected := []string{texts[0], texts[1], `yes`, `one" or "two`, "unexpected EOF"}
	changed := false
	for i, text := range texts {
		first, err := parser.ParseFile(strings.NewReader("FROM m\nSYSTEM \"\"\"" + text + "\"\"\"\n"))
		if err != nil || first.Commands[1].Args != text {
			panic("the Modelfile itself was not read")
		}
		printed := first.String()
		after := ""
		if again, err := parser.ParseFile(strings.NewReader(printed)); err != nil {
			after = err.Error()
		} else {
			after = again.Commands[1].Args
		}
		fmt.Printf("text %q, printed %q, read again: %q\n", text, printed, after)
		changed = changed || after != expected[i]
	}
	if changed {
		fmt.Println("it has changed")
		os.Exit(1)
	}
	fmt.Println("as found: three of five texts are not read back")
}
GO
go build -o modelfile . 2>go.log || { cat go.log; exit 1; }
./modelfile
