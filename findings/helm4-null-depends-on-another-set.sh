#!/usr/bin/env bash
# Helm 4.3.2: whether a chart's null removes its subchart's default depends on an unrelated --set.
#
# Guess: a chart that has `sub: {probe: null}` in its values.yaml removes the default `probe` of its subchart
# sub, as Helm 3.22 does. `--set sub.other=2` changes `other` and nothing else.
# Seen (Helm 4.3.2, Go 1.26): without --set the null is ignored, and the subchart's template gets the default
# of probe. With a value for any other key of sub, on the command line or in a file, the null counts, and
# probe is gone. A value for another part of the chart does not have this effect. Helm 3.22.0, tried by hand
# on the same chart, removes probe each time.
# Matters to: people who switch off a subchart's default (a probe, a resource limit, a nodeSelector) in their
# own chart. After the move from Helm 3 it is on again, and a later `--set` of something else removes it.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
export GOPATH="$folder/go" GOCACHE="$folder/cache" GOFLAGS=-mod=mod
export HELM_CONFIG_HOME="$folder/config" HELM_CACHE_HOME="$folder/helm" HELM_DATA_HOME="$folder/data"
printf 'module example.invalid/helm\n\ngo 1.26\n' >go.mod
{
    go get helm.sh/helm/v4/cmd/helm@v4.3.2
    go build -o helm helm.sh/helm/v4/cmd/helm
} >go.log 2>&1 || { cat go.log; exit 1; }

mkdir -p top/charts/sub/templates
printf 'apiVersion: v2\nname: sub\nversion: 1.0.0\n' >top/charts/sub/Chart.yaml
printf 'probe: /healthz\nother: 1\n' >top/charts/sub/values.yaml
printf 'seen: {{ .Values | toJson | quote }}\n' >top/charts/sub/templates/seen.yaml
printf 'apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0}]\n' >top/Chart.yaml
printf 'sub: {probe: null}\nmine: 1\n' >top/values.yaml
printf 'sub: {other: 2}\n' >mine.yaml

# print what the subchart gets for one command line
seen() {
    local found
    if ./helm template name top "$@" | grep -q '\\"probe\\":\\"/healthz\\"'; then found=present; else found=absent; fi
    echo "$found"
}
plain=$(seen)
elsewhere=$(seen --set mine=2)
another=$(seen --set sub.other=2)
file=$(seen -f mine.yaml)
./helm template name top --set sub.other=2
echo "helm template:                     probe is $plain"
echo "helm template --set mine=2:        probe is $elsewhere"
echo "helm template --set sub.other=2:   probe is $another"
echo "helm template -f (sub: other: 2):  probe is $file"
if [ "$plain $elsewhere $another $file" = "present present absent absent" ]; then
    echo "as found: the value of another key decides"
else
    echo "it has changed"
    exit 1
fi
