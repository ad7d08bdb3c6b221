#!/usr/bin/env bash
# go-containerregistry 0.22.1 (crane export, crane flatten): a whiteout hides files of its own layer.
#
# Guess: a whiteout removes what lower layers have. A layer that removes a directory and adds it again, with
# `.wh.models`, `models/` and `models/new`, gives a file system with models/new, in whatever order the three
# are in the layer.
# Seen (github.com/google/go-containerregistry 0.22.1, Go 1.26): with `.wh.models` first, which is the order of
# the names and the order in which it is done, models/new is missing. With `.wh.models` last it is there. The
# OCI image specification says that a file cannot be hidden by a whiteout of its own layer. There is no error.
# An opaque whiteout, `models/.wh..wh..opq`, and a whiteout in a layer of its own are right in each order.
# Matters to: people who flatten an image, or who take a model's files out of one: the directory that the last
# layer replaced is gone, while a container of the same image has it.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod

cat >go.mod <<'MOD'
module example.invalid/whiteout

go 1.26

require github.com/google/go-containerregistry v0.22.1
MOD
cat >main.go <<'GO'
package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// layer makes a layer of empty files, and of directories where a name ends with a slash.
func layer(names []string) v1.Layer {
	var packed bytes.Buffer
	writer := tar.NewWriter(&packed)
	for _, name := range names {
		header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}
		if strings.HasSuffix(name, "/") {
			header.Typeflag, header.Mode = tar.TypeDir, 0o755
		}
		check(writer.WriteHeader(header))
	}
	check(writer.Close())
	made, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	})
	check(err)
	return made
}

// files lists the files that are left of the layers' files.
func files(layers [][]string) string {
	image := empty.Image
	for _, names := range layers {
		next, err := mutate.AppendLayers(image, layer(names))
		check(err)
		image = next
	}
	flat := mutate.Extract(image)
	defer flat.Close()
	found := []string{}
	for reader := tar.NewReader(flat); ; {
		header, err := reader.Next()
		if err == io.EOF {
			break
		}
		check(err)
		if header.Typeflag == tar.TypeReg {
			found = append(found, header.Name)
		}
	}
	sort.Strings(found)
	return strings.Join(found, " ")
}

func main() {
	lower := []string{"models/", "models/old", "other"}
	cases := []struct {
		name, expected string
		upper          [][]string
	}{
		{"whiteout first", "other", [][]string{{".wh.models", "models/", "models/new"}}},
		{"whiteout last", "models/new other", [][]string{{"models/", "models/new", ".wh.models"}}},
		{"opaque first", "models/new other", [][]string{{"models/", "models/.wh..wh..opq", "models/new"}}},
		{"two layers", "models/new other", [][]string{{".wh.models"}, {"models/", "models/new"}}},
	}
	changed := false
	for _, one := range cases {
		left := files(append([][]string{lower}, one.upper...))
		fmt.Printf("%-15s %v: %s\n", one.name, one.upper, left)
		changed = changed || left != one.expected
	}
	if changed {
		fmt.Println("it has changed")
		os.Exit(1)
	}
	fmt.Println("as found: models/new is lost when the whiteout is first in its layer")
}
GO
go get github.com/google/go-containerregistry@v0.22.1 >go.log 2>&1
go build -o flatten . 2>go.log || { cat go.log; exit 1; }
./flatten
