"""Every `$` line that a helper prints: bash takes it, and the program gets the words that count.

Each line is pasted into a bash in another folder, whose kubectl, helm, ollama and lab write down
what they get.
"""

import json
import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

import labkit as lab
from labkit.diagnosis import ranking
from labkit.errors import LabError
from labkit.lessons import steps
from labkit.setup.host import paths

MODEL = "models.lab-system:5001/library/lab-llama"
STEP = "k8s/steps/03-service"
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}}
API = "/api/v1/namespaces/lab"
X = {**POD, "metadata": {"name": "x", "uid": "u"}, "status": {}}
LABELS = {"app": "ollama"}
OBJECTS = {
    "/apis/apps/v1/namespaces/lab/deployments/ollama": {
        "kind": "Deployment",
        "metadata": {"name": "ollama", "uid": "u"},
        "spec": {"selector": {"matchLabels": LABELS}, "replicas": 1},
    },
    f"{API}/services/ollama": {
        "kind": "Service",
        "metadata": {"name": "ollama"},
        "spec": {"ports": [{"port": 80}], "selector": LABELS},
    },
    f"{API}/pods": {"items": [X], "columnDefinitions": [], "rows": []},
    f"{API}/pods/x": X,
    f"{API}/events": {"items": [], "columnDefinitions": [], "rows": []},
    "/apis/apps/v1/namespaces/lab/deployments": {"items": []},
}
PROMPT = "vi or 'emacs'?"
FIRST = {"role": "user", "content": "A?"}
ANSWER = {"role": "assistant", "content": "B."}
TOOL = {"type": "function", "function": {"name": "f"}}

# the call, and what each program gets: its words, and what comes in after " < "
CALLS = {
    "lab.get('pods')": ["kubectl get pods"],
    "lab.get('pods', selector='app=x', all_namespaces=True)": [
        "kubectl get pods --selector=app=x --all-namespaces"
    ],
    "lab.events('x')": ["kubectl events --for=pod/x"],
    "lab.events()": ["kubectl events"],
    "lab.delete('x', timeout_s=0)": ["kubectl delete pod/x"],
    "lab.delete('deployment/ollama', timeout_s=0)": [
        "kubectl delete deployment/ollama --cascade=foreground"
    ],
    "lab.run('x', 'sh', '-c', 'a  b', image='i', env={'A': 'b c'})": [
        "kubectl run x --image=i '--env=A=b c' -- sh -c 'a  b'"
    ],
    "lab.create_deployment('x', 'a', image='i', replicas=2, port=1)": [
        "kubectl create deployment x --image=i --replicas=2 --port=1 -- a"
    ],
    "lab.create_service('x', tcp='80:11434')": [
        "kubectl create service clusterip x --tcp=80:11434"
    ],
    "lab.scale('deployment/ollama', replicas=0)": ["kubectl scale deployment/ollama --replicas=0"],
    "lab.restart('deployment/ollama')": ["kubectl rollout restart deployment/ollama"],
    "lab.rollout('deployment/nosuch', timeout_s=2)": [
        "kubectl rollout status deployment/nosuch --timeout=2s"
    ],
    "lab.wait('x', until='jsonpath={.status.phase}=Running', timeout_s=1)": [
        "kubectl wait pod/x '--for=jsonpath={.status.phase}=Running' --timeout=1s"
    ],
    "lab.logs('x', tail=5, since='2m')": ["kubectl logs x --tail=5 --since=2m"],
    "lab.exec('x', 'sh', '-c', 'a  b')": ["kubectl exec x -- sh -c 'a  b'"],
    "lab.exec('x', 'sh', stdin='ls')": ["kubectl exec x --stdin -- sh < ls"],
    "lab.exec('x', 'sh', stdin='EOF\\n')": ["kubectl exec x --stdin -- sh < EOF\n"],
    "lab.exec('x', 'sh', stdin=b'\\xff')": [
        "# kubectl exec x --stdin -- sh, with 1 byte on its standard input"
    ],
    f"lab.apply({STEP!r})": [
        f"kubectl apply --server-side --filename={paths.k8s('steps', '03-service')}"
    ],
    "lab.apply(POD)": [
        f"kubectl apply --server-side --filename=- < {yaml.safe_dump(POD, sort_keys=False)}"
    ],
    "lab.apply('kind: Pod\\nmetadata: {name: x}')": [
        "kubectl apply --server-side --filename=- < kind: Pod\nmetadata: {name: x}"
    ],
    "lab.top('nodes', timeout_s=0)": ["kubectl top nodes"],
    "lab.top('deployment/ollama', containers=True, timeout_s=0)": [
        "kubectl top pods --selector=app=ollama --containers"
    ],
    "lab.each_pod('deployment/ollama')": ["kubectl logs --selector=app=ollama --prefix --tail=-1"],
    "lab.metrics('sum by (pod)\\n(up)')": [
        "# PromQL, of the last 5 min, a value every 2 s: sum by (pod) (up)"
    ],
    "lab.delete('x', 'svc/ollama', ignore_not_found=True, timeout_s=0)": [
        "kubectl delete pod/x svc/ollama --ignore-not-found"
    ],
    "lab.processes('x')": ["kubectl exec x -- top -b -c -n 1 -w 200"],
    "lab.connect('service/ollama')": [
        f"kubectl get --raw={API}/services/ollama:80/proxy/",
    ],
    "lab.mirrored(since=0)": [
        "kubectl logs deployment/models --container=haproxy --namespace=lab-system"
    ],
    "lab.hey('http://ollama:11434/', n=2, c=1, t=5, body={'a': 'b c'}, timeout_s=0)": [
        "kubectl run hey --image=nixery.dev/hey --restart=Never --rm --stdin -- "
        'hey -c 1 -n 2 -t 5 -m POST -d \'{"a": "b c"}\' http://ollama:11434/'
    ],
    "lab.helm_upgrade('r', 'c', repo='http://x', values={'a': 1}, timeout_s=9)": [
        "helm upgrade --install r c --repo http://x --set a=1 --wait --timeout=9s"
    ],
    "lab.helm_upgrade('r', 'c', values={'a': {'b,c': ['d e']}}, timeout_s=9)": [
        'helm upgrade --install r c --values - --wait --timeout=9s < a:\n  "b,c":\n  - "d e"\n'
    ],
    "lab.helm_uninstall('r')": ["helm uninstall r --wait=legacy --cascade=foreground"],
    "lab.models()": ["ollama list"],
    "lab.models(at='pod/x')": ["kubectl exec pod/x -- ollama list"],
    "lab.ps()": ["ollama ps"],
    "lab.show()": [f"ollama show {MODEL}"],
    "lab.fits('m', at='pod/x')": ["kubectl exec pod/x -- ollama show m"],
    "lab.stop()": [f"ollama stop {MODEL}"],
    "lab.pull()": [f"ollama pull --insecure {MODEL}"],
    "lab.pull('m', at='svc/ollama')": [
        "kubectl run httpclient --rm -it --image alpine/httpie -- --ignore-stdin --timeout=60 "
        "http://ollama:11434/api/pull model=m"
    ],
    "lab.generate(PROMPT, model='m', keep_alive=60)": [
        "ollama run --keepalive=60s --nowordwrap m \"vi or 'emacs'?\""
    ],
    "lab.generate('A?', model='m', keep_alive='-1')": [
        "ollama run --keepalive=-1s --nowordwrap m A?"
    ],
    "lab.generate('A?', model='m', at='pod/x', options={'temperature': 0, 'stop': ['a', 'b']})": [
        "kubectl exec pod/x --stdin --tty -- ollama run m",
        ">>> /set parameter temperature 0",
        ">>> /set parameter stop a b",
        ">>> A?",
    ],
    "lab.generate('A?', model='m', at='service/x', options={'seed': 1})": [
        "kubectl run httpclient --rm -it --image alpine/httpie -- --ignore-stdin --timeout=60 "
        "http://x:11434/api/generate model=m 'options:={\"seed\": 1}' 'prompt=A?'"
    ],
    "lab.chat('A?', model='m')": ["ollama run m", ">>> A?"],
    "lab.chat('C\\nD?', after=after(), model='m')": [
        "ollama run m",
        ">>> A?",
        '>>> """C',
        'D?"""',
    ],
    "lab.chat('A?', model='m', at='pod/x')": [
        "kubectl exec pod/x --stdin --tty -- ollama run m",
        ">>> A?",
    ],
    "lab.chat('A?', model='m', tools=[TOOL])": [
        "# POST /api/chat to the local Ollama: `ollama run` cannot send all of it"
    ],
    "lab.chat([FIRST, ANSWER, FIRST], model='m', at='pod/x')": [
        "# POST /api/chat to pod/x: `ollama run` cannot send all of it"
    ],
    "lab.load_test('http://127.0.0.1:9', requests=1, prompt=PROMPT, timeout_s=1)": [
        f"lab load http://127.0.0.1:9 -n 1 -c 1 -t 1 --model {MODEL} "
        "--prompt \"vi or 'emacs'?\" --api generate"
    ],
    "lab.status()": ["lab status"],
    "lab.check_all()": ["lab check"],
    "lab.bake()": [
        f"# docker build of {paths.k8s('steps', '05-baked')} with MODEL={MODEL}, then docker push"
    ],
    "lab.slow_model()": [
        "# ollama create and ollama push of models.lab-system:5001/library/lab-llama:slow, "
        "in the lab's own Ollama"
    ],
}
NO_LINE = {
    **dict.fromkeys(["LabError", "Chart", "Table", "model"], "no call"),
    **dict.fromkeys(["choice", "step_buttons", "dashboard"], "a display, not a command"),
    **dict.fromkeys(
        ["check", "solved", "hint", "solution", "start", "timetable", "troubles", "diagnose"],
        "of the lab",
    ),
    **dict.fromkeys(["goto", "reset", "plant"], "many commands, told in words"),
    **dict.fromkeys(["timeline", "ways"], "a picture or a table of much that is read"),
    "compare": "of results that were measured before, in memory or in files",
    "try_way": "the lines of the calls that it makes",
    "manifest": "prints the text itself",
}


@pytest.fixture
def world(connected, discovery, answering, tmp_path, monkeypatch) -> Path:
    """A session, an Ollama that answers with errors, and programs that write down their words."""
    monkeypatch.chdir(tmp_path)  # as a notebook's folder, it has no k8s/
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("kubectl", "helm", "ollama", "lab"):
        program = programs / name
        program.write_text(
            f"#!{sys.executable}\nimport json, os, sys\n"
            "got = os.environ.get('GOT')\n"
            "text = '' if os.isatty(0) else sys.stdin.read()\n"
            f"words = [{name!r}, *sys.argv[1:]]\n"
            "open(got, 'a').write(json.dumps([words, text]) + '\\n') if got else sys.exit(1)\n"
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    connected(lambda handler: api(handler, discovery))
    monkeypatch.setenv("OLLAMA_HOST", answering(lambda handler: handler.send({"error": "x"}, 400)))
    monkeypatch.setattr("labkit.commands.status.parts", lambda _: [])
    for making in ("baked_image.build", "slow_model.ensure"):  # no test needs an engine
        monkeypatch.setattr(f"labkit.setup.cluster.{making}", refused)
    return programs


def refused(*_: object) -> None:
    raise LabError("not in this test", "", "")


def api(handler, discovery: dict[str, dict]) -> None:
    """An API server that has the OBJECTS, and takes what it is given."""
    path = handler.path.partition("?")[0]
    found = discovery.get(path) or OBJECTS.get(path)
    if found is None and handler.command == "GET":
        handler.send({"reason": "NotFound", "message": f"no {path}", "code": 404}, 404)
    else:
        handler.send(found or json.loads(handler.body))


def after():
    from labkit.ollama.completion import Answer

    return Answer("B.", "m", 1, 1, 0, 0, 0, 0, "stop", messages=[FIRST, ANSWER])


def printed(call: str, capsys) -> str:
    """The lines that stand first in what the call prints: those that equal it."""
    with suppress(LabError):
        eval(call, globals())
    return capsys.readouterr().out


def pasted(text: str, programs: Path, folder: Path) -> list[str]:
    """What the programs get when the lines are pasted into bash, one line of text each."""
    got = folder / "got"
    got.unlink(missing_ok=True)
    script = re.sub(r"^\./lab", "lab", text)
    subprocess.run(
        ["bash", "--norc", "-e", "-c", script],
        env={"PATH": f"{programs}:/usr/bin:/bin", "GOT": str(got)},
        stdin=subprocess.DEVNULL,
        cwd="/",
        check=True,
    )
    return [json.loads(line) for line in got.read_text().splitlines()] if got.exists() else []


@pytest.mark.parametrize("call", CALLS)
def test_a_printed_line_pasted_elsewhere_does_what_it_says(call, world, tmp_path, capsys):
    wanted = CALLS[call]
    out = printed(call, capsys)
    if wanted[0].startswith("# "):
        assert out.splitlines()[0] == wanted[0]
        assert "$ " not in out.splitlines()[0]
        assert pasted(wanted[0], world, tmp_path) == []
        return
    assert out.startswith("$ ")
    lines = out.removeprefix("$ ").split("\n")
    line, size = complete(lines)
    ((words, given),) = pasted(line, world, tmp_path)
    said, _, text = wanted[0].partition(" < ")
    assert (words, given) == (shlex.split(said), text)
    assert lines[size : size + len(wanted) - 1] == wanted[1:]


def complete(lines: list[str]) -> tuple[str, int]:
    """The first command of these lines, and how many lines it has."""
    for size in range(1, len(lines) + 1):
        text = "\n".join(lines[:size])
        done = subprocess.run(["bash", "-n"], input=text + "\n", capture_output=True, text=True)
        if not done.stderr and not text.endswith("\\"):
            return text, size
    raise AssertionError(f"no command: {lines}")


def test_each_name_is_in_the_table_or_has_a_reason_not_to_be():
    called = set(re.findall(r"^lab\.(\w+)", "\n".join(CALLS), re.MULTILINE))
    assert called | set(NO_LINE) == set(lab.__all__)
    assert not called & set(NO_LINE)


def test_each_line_to_look_for_oneself_is_a_line_of_the_labs_programs():
    looks = {s.ladder.look for s in steps.STEPS if s.ladder} | {m.look for m in ranking.ROWS}
    for look in looks:
        assert subprocess.run(["bash", "-n", "-c", look]).returncode == 0
        programs = {part.split()[0] for part in re.split(r"; | \| ", look)}
        assert programs <= {"kubectl", "helm", "ollama", "grep", "xargs"}, look
        assert not re.search(r"\b[A-Z]{3,}\b", look), f"a placeholder: {look}"
