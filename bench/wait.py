"""How soon does `lab.wait` know that a Pod is ready, next to `kubectl wait`?

Both wait for the same Pod at the same time, of an image that the nodes have. Needs the
running lab; makes a labelled namespace of its own and removes it.

    python bench/wait.py            seconds until each returned, medians, and their difference
"""

import argparse
import json
import os
import statistics
import subprocess
import threading
import time

from labkit.kube import session, wait
from labkit.setup.cluster import labs

NAME = "labkit-bench-wait"
LAB = labs.Lab()


def once(pod: str, image: str) -> tuple[float, float]:
    """Seconds from the Pod's creation until kubectl and labkit returned."""
    ended = {}
    words = [LAB.program(), "-n", NAME, "wait", f"pod/{pod}", "--for=condition=Ready"]
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "main",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["sleep", "600"],
            }
        ],
    }
    item = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod}, "spec": spec}
    LAB.kubectl("create", "-n", NAME, "-f", "-", stdin=json.dumps(item))
    began = time.monotonic()

    def kubectl() -> None:
        subprocess.run(
            words,
            env={**os.environ, **LAB.environment()},
            check=True,
            timeout=120,
            stdout=subprocess.DEVNULL,
        )
        ended["kubectl"] = time.monotonic() - began

    beside = threading.Thread(target=kubectl)
    beside.start()
    wait.wait(f"pod/{pod}", timeout_s=120)
    ended["labkit"] = time.monotonic() - began
    beside.join()
    LAB.kubectl("delete", "pod", pod, "-n", NAME, "--now")
    return ended["kubectl"], ended["labkit"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=7)
    repeat = parser.parse_args().repeat
    labels = dict([labs.LABEL])
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": labels}}
    LAB.kubectl("create", "-f", "-", stdin=json.dumps(item))
    try:
        session.start(NAME)
        image = LAB.kubectl(
            "get", "deployment/ollama", "-n", labs.SYSTEM, "-o", "jsonpath={..image}"
        )
        once("warm-up", image)  # loads the client and its certificates
        found = [once(f"pod-{number}", image) for number in range(repeat)]
    finally:
        LAB.kubectl("delete", "namespace", NAME, "--wait=false")
    for kubectl, labkit in found:
        print(f"kubectl {kubectl:.3f} s   labkit {labkit:.3f} s   {labkit - kubectl:+.3f} s")
    ours = statistics.median(labkit for _, labkit in found)
    theirs = statistics.median(kubectl for kubectl, _ in found)
    apart = [labkit - kubectl for kubectl, labkit in found]
    print(
        f"median of {repeat}: kubectl {theirs:.3f} s, labkit {ours:.3f} s,"
        f" ratio {ours / theirs:.2f}; difference {statistics.median(apart):+.3f} s"
        f" (worst {max(apart):+.3f} s)"
    )


if __name__ == "__main__":
    main()
