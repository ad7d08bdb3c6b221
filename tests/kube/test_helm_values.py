"""labkit/kube/helm_values.py: Helm reads what it is given as it reads the same values file."""

import json
import random
import secrets
import string
import subprocess

import pytest
import yaml

from labkit.errors import LabError
from labkit.kube import helm_values
from tests import helms

SIMPLE = {"replicaCount": 2, "ollama.insecure": True, "image.tag": "latest", "note": None}
# text that YAML 1.1, YAML 1.2 or Helm's --set would take for something else
# fmt: off
TRICKY = ["0.24", "0", "007", "1e3", "0x1F", "1_000", "-5", "yes", "N", "True", "null", "~", "",
          "a,b", "{a}", "a=b", "a: b", "# no", " a", "a ", "'", '"', "\\", "\\,", "a\nb\n", "\n",
          "\ta", "a\u0085b", "a\u2028b", "$HOME", "`id`", "EOF", "EOF\nx", "é 箱 😀",
          "2026-01-01", "<<", "=", "1:30", "!x", "&a", "*a", "[a", "%a", "@a", "|", ">-", "-", "?"]
# fmt: on


def test_simple_values_stay_set_and_text_that_looks_like_a_number_stays_text():
    assert helm_values.given(SIMPLE) == (
        "--set replicaCount=2 --set ollama.insecure=true --set image.tag=latest"
        " --set note=null".split(),
        "",
    )
    assert helm_values.given({"image.tag": "0.24"}) == (["--set-string", "image.tag=0.24"], "")
    assert helm_values.given({"x": "true"}) == (["--set-string", "x=true"], "")


def test_a_list_of_words_is_json_and_never_braces():
    words = ["--set-json", 'ollama.models.pull=["a","b"]']
    assert helm_values.given({"ollama.models.pull": ("a", "b")}) == (words, "")
    assert helm_values.given({"x": []}) == (["--set-json", "x=[]"], "")


def test_anything_else_is_one_values_file_on_standard_input():
    values = {
        "ollama.models": {"create": [{"name": "x", "template": "FROM a\nPARAMETER b 1\n"}]},
        "ollama.insecure": True,
        "podAnnotations": {"prometheus.io/port": "8080"},
        r"nodeSelector.kubernetes\.io/os": "linux",
        "tolerations[1].key": "gpu",
    }
    words, file = helm_values.given(values)
    assert words == ["--values", "-"]
    assert file == (
        "ollama:\n"
        "  models:\n"
        "    create:\n"
        "    - name: x\n"
        "      template: |\n"
        "        FROM a\n"
        "        PARAMETER b 1\n"
        "  insecure: true\n"
        "podAnnotations:\n"
        '  prometheus.io/port: "8080"\n'
        "nodeSelector:\n"
        "  kubernetes.io/os: linux\n"
        "tolerations:\n"
        "- null\n"
        "- key: gpu\n"
    )


def test_the_callers_own_values_are_not_changed():
    values = {"a": {"b": 1}, "a.c": 2}
    assert helm_values.nested(values) == {"a": {"b": 1, "c": 2}}
    assert values == {"a": {"b": 1}, "a.c": 2}


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, object(), {"a": [b"bytes"]}])
def test_what_no_values_file_can_hold_is_refused_with_its_name(value):
    with pytest.raises(LabError, match=r"ollama\.x"):
        helm_values.given({"ok": 1, "ollama.x": value})


@pytest.mark.parametrize("name", ["", "a..b", ".a", "a.", "a[x]", "a[1"])
def test_a_name_that_leads_nowhere_is_refused(name):
    with pytest.raises(LabError, match="is not a name of a value"):
        helm_values.given({name: 1})


@pytest.mark.parametrize("seed", range(200))
def test_the_file_reads_back_as_the_values(seed):
    chance = random.Random(seed)
    values = {f"k{number}": anything(chance, 3) for number in range(4)}
    assert yaml.safe_load(helm_values.written(values)) == values


@pytest.mark.parametrize("major", [3, 4])
def test_helm_reads_each_kind_of_value_as_from_a_json_values_file(major, tmp_path, monkeypatch):
    helms.first_on_path(major, tmp_path, monkeypatch)
    texts = {f"k{number}": text for number, text in enumerate(TRICKY)}
    simple = {
        name: text for name, text in texts.items() if not helm_values.given({name: text}).file
    }
    assert len(simple) > 5 and helm_values.given(texts).file
    samples = [simple, texts, {"a": TRICKY}, {"a": {text or "e": text for text in TRICKY}}]
    samples += [{"a": {}}, {"a": []}, {"a": [[]]}, {"a": 10_000_000, "b": -1, "c": 0.5}, SIMPLE]
    samples += [{"a.b": "x", "a": {"c": 1}}, {"ollama.models.pull": []}]
    seed = secrets.randbelow(10**6)  # all the examples: tests/properties.py
    samples += [anything_named(random.Random(f"values {seed} {n}")) for n in range(5)]
    chart = chart_that_shows_its_values(tmp_path / "chart")
    for values in samples:
        ours, theirs = both_rendered(chart, values)
        assert ours == theirs, (seed, values)


def both_rendered(chart, values: dict[str, object]) -> tuple[str, str]:
    """What a chart sees of `helm_upgrade`'s words, and of a values file as JSON."""
    as_json = json.dumps(helm_values.nested(values), ensure_ascii=False)
    for end in "\u0085\u2028":  # which YAML takes for the ends of lines
        as_json = as_json.replace(end, f"\\u{ord(end):04x}")
    words, file = helm_values.given(values)
    return rendered(chart, words, file), rendered(chart, ["--values", "-"], as_json)


def chart_that_shows_its_values(folder):
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: x, version: 1.0.0}")
    defaults = {"note": "a default", "a": {"kept": 1}, "ollama": {"models": {"pull": ["m"]}}}
    (folder / "values.yaml").write_text(yaml.safe_dump(defaults))
    text = 'all: {{ .Values | toJson | quote }}\nprinted: {{ printf "%v" .Values | quote }}\n'
    (folder / "templates" / "x.yaml").write_text(text)
    return folder


def rendered(chart, words: list[str], file: str) -> str:
    line = ["helm", "template", "x", str(chart), *words]
    done = subprocess.run(line, input=file.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def anything_named(chance: random.Random) -> dict[str, object]:
    """A chart's values: names with dots and places in lists, with values of any kind or simple."""
    names = ["a", "a.b", "a.kept", "note", "ollama.models.pull", "tolerations[1].key", "list[0]"]
    names += [r"labels.app\.kubernetes\.io/name", "ollama", "image.tag", "x-1", "x_2", "UPPER"]
    depth = chance.choice([0, 0, 2])
    return {name: anything(chance, depth) for name in chance.sample(names, chance.randrange(1, 5))}


def anything(chance: random.Random, depth: int) -> object:
    """A value of any kind that JSON has."""
    kind = chance.randrange(9 if depth else 6)
    if kind < 3:
        return chance.choice([*TRICKY, text(chance)])
    if kind < 6:
        return chance.choice([None, True, False, 0, -3, 10**7, 0.25, 1e300, chance.random()])
    if kind < 7:
        return [anything(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {
        chance.choice([*TRICKY, text(chance)]) or "e": anything(chance, depth - 1)
        for _ in range(chance.randrange(4))
    }


def text(chance: random.Random) -> str:
    letters = string.printable.replace("\r", "").replace("\x0b", "").replace("\x0c", "") + "é箱😀"
    return "".join(chance.choice(letters) for _ in range(chance.randrange(12)))
