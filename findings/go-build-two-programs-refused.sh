#!/usr/bin/env bash
# Go 1.26: two programs of one module build, each alone; in one `go build` they are refused.
#
# Guess: `go build ./a ./b` makes what `go build ./a` and `go build ./b` make, and is quicker.
# Seen (Go 1.26.8, go vet too): when a imports a module path with a capital letter and b the same path
# without it, the one command ends with "case-insensitive import collision", though no program imports
# both. Each alone is built. The check is over all packages of a command, not over those of a program.
# Matters to: whoever compiles several old programs in one module to share the work. logrus, which was
# renamed from Sirupsen to sirupsen in 2017, is the usual one: github.com/rancher/local-path-provisioner
# v0.0.30 has the capital, Kubernetes' own dependencies have not.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod
mkdir old new
printf 'module example.invalid/both\n\ngo 1.21\n' > go.mod
for way in old:Sirupsen:v0.11.0 new:sirupsen:v1.9.3; do
    IFS=: read -r program owner version <<< "$way"
    printf 'package main\n\nimport "github.com/%s/logrus"\n\nfunc main() { logrus.Info("%s") }\n' \
        "$owner" "$program" > "$program/main.go"
    go mod edit -require="github.com/$owner/logrus@$version"
done

go build -o bin/old ./old
go build -o bin/new ./new
echo "each alone: built"
if go build -o bin/ ./old ./new 2> said; then
    echo "it has changed: both are built by one command"
    exit 1
fi
tail -n 1 said
grep -q "case-insensitive import collision" said
echo "as found: in one command they are refused"
