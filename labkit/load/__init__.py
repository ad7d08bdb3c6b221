"""The load engine: time to first token, token gaps and rates, measured honestly.

`python -m labkit.load URL` and `./lab load URL` run it; `engine.run(plan)` is the same from Python.
Standard library only, and nothing of the rest of labkit: this folder, mounted in a Pod, is enough.
"""
