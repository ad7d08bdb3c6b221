"""The alerts: promtool's unit tests of the rules, and the rules in the running Prometheus."""

import json
import re
import subprocess
import time
from pathlib import Path

import yaml

from labkit.setup.build import catalog
from labkit.setup.cluster import labs
from labkit.setup.host import paths, speed

RULES = paths.k8s("cluster", "prometheus")
IMAGE = catalog.load().image("prom/prometheus").reference
LOADED = "/api/v1/namespaces/lab-system/services/prometheus:9090/proxy/api/v1/rules"


def test_every_alert_is_loaded_and_evaluated_without_an_error(lab):
    group = loaded()
    assert {rule["name"] for rule in group["rules"]} == set(alerts())
    deadline = time.monotonic() + speed.deadline(15)
    while {rule["health"] for rule in group["rules"]} != {"ok"}:
        assert time.monotonic() < deadline, group
        time.sleep(0.5)
        group = loaded()


def loaded() -> dict:
    (group,) = json.loads(labs.Lab().kubectl("get", "--raw", LOADED))["data"]["groups"]
    return group


def alerts() -> list[str]:
    (group,) = yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    return [rule["alert"] for rule in group["rules"]]


def promtool(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Runs it in the image of Prometheus, in a folder of rules."""
    command = ["docker", "run", "--rm", "--network=none", f"--volume={folder}:/rules:ro"]
    command += ["--workdir=/rules", "--entrypoint=sh", IMAGE, "-c", script]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=speed.deadline(60), check=False
    )


def test_each_alert_fires_when_it_should_and_only_then(lab):
    done = promtool(RULES, "promtool test rules alerts_test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_tests_of_the_alerts_would_miss_each_one_that_is_not_there(lab, tmp_path):
    whole = yaml.safe_load((RULES / "alerts.yml").read_text())
    rules = whole["groups"][0]["rules"]
    for rule in rules:
        folder = tmp_path / rule["alert"]
        folder.mkdir()
        without = [{**whole["groups"][0], "rules": [one for one in rules if one is not rule]}]
        (folder / "alerts.yml").write_text(yaml.safe_dump({"groups": without}))
        (folder / "alerts_test.yml").write_bytes((RULES / "alerts_test.yml").read_bytes())
    tmp_path.chmod(0o755)
    each = "for one in *; do promtool test rules $one/alerts_test.yml || echo missed: $one; done"
    said = promtool(tmp_path, each)
    assert sorted(re.findall(r"^missed: (\w+)", said.stdout, re.M)) == sorted(alerts())
