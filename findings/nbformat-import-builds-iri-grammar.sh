#!/usr/bin/env bash
# nbformat 5.11.1 beside rfc3987-syntax 1.1.0: each process that imports nbformat builds a grammar of internet
# addresses first, which takes longer than all the rest of the import. No notebook has a use for it.
#
# Guess: nbformat checks notebooks with fastjsonschema, which it requires, so the import costs tenths of a
# second, whatever else is installed. A checker of addresses is made when something is checked.
# Seen (nbformat 5.11.1, jsonschema 4.26.0, rfc3987-syntax 1.1.0, lark 1.3.1, Python 3.11): nbformat imports
# jsonschema too. jsonschema imports each checker of formats that is installed, at its own import. One of them,
# rfc3987-syntax, compiles its whole grammar with lark when it is imported. jupyter-events, which each Jupyter
# server requires, brings it by jsonschema's extra `format-nongpl`. So an environment with JupyterLab pays at
# every import of nbformat, in servers, pytest with nbval, nbconvert and each of their worker processes; one with
# nbformat alone does not. The schema of notebooks has no format of that kind.
# Matters to: people whose test workers, kernels' tools or command-line programs read notebooks: seconds of a
# processor at each start. Where the checker is kept away (sys.modules["rfc3987_syntax"] = None, which jsonschema
# takes for "not installed") notebooks are checked as before.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    nbformat==5.11.1 jsonschema==4.26.0 rfc3987-syntax==1.1.0 lark==1.3.1

cat >once.py <<'PY'
import sys
import time

if sys.argv[1] == "without":
    sys.modules["rfc3987_syntax"] = None
begun = time.process_time()
import nbformat

print(time.process_time() - begun, "lark" in sys.modules)
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
nbformat.validate(notebook)
notebook.cells[0]["cell_type"] = "unheard of"
try:
    nbformat.validate(notebook)
except nbformat.ValidationError:
    print("checked")
PY
cat >compare.py <<'PY'
import statistics
import subprocess
import sys


def once(word):
    done = subprocess.run([sys.executable, "once.py", word], capture_output=True, text=True, check=True)
    (seconds, lark), (checked,) = (line.split() for line in done.stdout.splitlines())
    assert checked == "checked"
    return float(seconds), lark == "True"


once("with")  # the first one compiles Python's own files
runs = {word: [once(word) for _ in range(5)] for word in ("with", "without")}
for word, found in runs.items():
    print(f"{word:8} median {statistics.median(s for s, _ in found):.2f} s of a processor, lark imported: {found[0][1]}")
ratio = statistics.median(s for s, _ in runs["with"]) / statistics.median(s for s, _ in runs["without"])
print(f"{ratio:.1f} times")
if ratio < 2 or not all(lark for _, lark in runs["with"]) or any(lark for _, lark in runs["without"]):
    sys.exit("it has changed")
print("as found: most of the import is the grammar, and notebooks are checked without it as well")
PY
venv/bin/python compare.py
