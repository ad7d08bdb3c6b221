"""The load engine: time to first token, token gaps and rates, measured honestly; standard library only.

`python -m labkit.load URL` and `./lab load URL` run it; `engine.run(plan)` is the same from Python.
Nothing here imports the rest of labkit: the folder alone, mounted in a Pod, is enough.
"""
