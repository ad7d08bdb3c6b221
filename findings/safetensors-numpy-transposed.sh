#!/usr/bin/env bash
# safetensors 0.8.0: a transposed numpy array is saved with its numbers in another order. 0.7.0 saves it right.
#
# Guess: save_file and load_file give back the array, or save_file refuses it, as safetensors.torch does for a
# tensor that is not contiguous.
# Seen (safetensors 0.8.0 and 0.7.0, numpy 2.4.6, Python 3.11): 0.7.0 copies an array with tobytes(), which
# writes it in the order of its shape. 0.8.0 takes the memory from the array's first element on, whatever its
# strides are. For a.T, a[:, ::2] and a Fortran array the file has the right shape, type and size, and other
# numbers. There is no error and no warning. The docstring of both says that tensors have to be contiguous.
# Matters to: people who convert weights (a transposed projection, half of a fused one) with the numpy API.
# The code worked for years. After the update the model loads, and its answers are noise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m pip install --quiet --disable-pip-version-check --target now safetensors==0.8.0 numpy==2.4.6
python3 -m pip install --quiet --disable-pip-version-check --no-deps --target before safetensors==0.7.0

cat >both.py <<'PY'
import numpy
from safetensors import __version__
from safetensors.numpy import load_file, save_file

a = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
arrays = {"a": a, "a.T": a.T, "a[:, ::2]": a[:, ::2], "Fortran": numpy.asfortranarray(a)}
verdicts = []
for name, array in arrays.items():
    save_file({"weight": array}, "one.safetensors")
    loaded = load_file("one.safetensors")["weight"]
    assert loaded.shape == array.shape and loaded.dtype == array.dtype
    verdicts.append("same" if numpy.array_equal(loaded, array) else "other")
    print(f"{__version__} {name:10} saved {array.tolist()}, loaded {loaded.tolist()}: {verdicts[-1]}")
open(f"{__version__}.txt", "w").write(" ".join(verdicts))
PY
PYTHONPATH=now python3 both.py
PYTHONPATH=before:now python3 both.py
if [ "$(cat 0.8.0.txt) / $(cat 0.7.0.txt)" = "same other other other / same same same same" ]; then
    echo "as found: 0.8.0 writes other numbers where 0.7.0 wrote the array"
else
    echo "it has changed"
    exit 1
fi
