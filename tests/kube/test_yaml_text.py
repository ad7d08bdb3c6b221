"""labkit/kube/yaml_text.py: YAML is read as kubectl reads it, which is asked where it is there."""

import json
import random
import shutil
import subprocess

import pytest

from labkit.errors import Refused
from labkit.kube import yaml_text

needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="asks kubectl")
HEAD = "apiVersion: example.org/v1\nkind: Foo\nmetadata: {name: x}\nspec:\n"
SCALARS = (
    "2026-01-01 2026-01-01T00:00:00Z 1:30 1:30:00 190:20:30.15 y Y yes Yes YES yEs n N no on On off"
    " true TRUE tRue false null Null NULL ~ 0 00 01 08 012 -012 0o17 0O17 0o8 -0o17 0x1F 0X1F -0x1F"
    " 0x 0b11 -0b11 0b12 0b 1 -1 +5 1_000 1__0 0_1 _1 1_0.5 0.5 .5 5. +.5 -.5 . .. ... - -- + 1e3"
    " 1E3 1e+3 1e-3 1.0e3 1.0 1.10 1e 1e5 09.5 12345678901234567 0.34.2 1.2.3 v1 1Gi 100m 1k"
    " 127.0.0.1 11434 :80 80: a:b a.b = << .inf .nan .Inf1 1,000 1h30m 0777 0755"
    " 685230.15 1e400 -0 -0.0 0e0"
).split()


def test_what_is_twice_is_told_in_block_and_flow_and_in_depth():
    for text, lines in (
        ("a: 1\nb: 2\na: 3\n", "lines 1 and 3"),
        ("x: {a: 1, a: 2}\n", "lines 1 and 1"),
        ("x:\n- y:\n    a: 1\n    'a': 2\n", "lines 3 and 4"),
        ("1: x\n'1': y\n", "lines 1 and 2"),
    ):
        with pytest.raises(Refused, match=lines):
            yaml_text.documents(text, "-")


def test_a_merge_may_be_overridden_and_an_anchor_used_twice():
    text = "base: &b {a: 1, c: 2}\nx:\n  <<: *b\n  a: 3\nz: *b\n"
    assert yaml_text.documents(text, "-") == [
        {"base": {"a": 1, "c": 2}, "x": {"a": 3, "c": 2}, "z": {"a": 1, "c": 2}}
    ]


def test_quoted_and_tagged_text_is_text():
    text = "a: '1'\nb: \"yes\"\nc: !!str 1\nd: !!timestamp 2026-01-01\ne: |-\n  1e3\n"
    assert yaml_text.documents(text, "-") == [
        {"a": "1", "b": "yes", "c": "1", "d": "2026-01-01", "e": "1e3"}
    ]


@pytest.mark.parametrize("text", ["a: [", "a: 1\n b: 2", "a:\t1\n\tb: 2", "!!bool maybe", "{a: 1"])
def test_what_is_no_yaml_is_refused(text):
    with pytest.raises(Refused, match="is not valid YAML"):
        yaml_text.documents(text, "-")


@pytest.mark.parametrize("word", [".inf", "-.Inf", "+.INF", ".nan", ".NaN"])
def test_a_number_that_json_does_not_have_is_refused_as_kubectl_does(word):
    with pytest.raises(Refused, match="is not valid YAML") as raised:
        yaml_text.documents(f"a: {word}\n", "-")
    assert f"JSON has no number {word}" in raised.value.saw
    assert yaml_text.documents(f"a: '{word}'\nb: .info\n", "-") == [{"a": word, "b": ".info"}]


@needs_kubectl
def test_kubectl_reads_each_scalar_so():
    chance = random.Random(0)
    letters = "0123456789abeEoxXyn_.:+-"
    drawn = ["".join(chance.choices(letters, k=chance.randrange(1, 7))) for _ in range(400)]
    refused = {".inf", ".nan"}  # which JSON does not know
    words = [one for one in [*SCALARS, *drawn] if one not in refused and not one.endswith(":")]
    words = [one for one in words if not (one.startswith("-") and one.strip("-") == "")]
    lines = "".join(f"- [{one}]\n" if one[0] != ":" else f"- {one}\n" for one in words)
    text = f"{HEAD}{lines}"
    line = "kubectl label --local --filename=- --output=json a=b".split()
    done = subprocess.run(line, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout)["spec"]
    ours = json.loads(json.dumps(yaml_text.documents(text, "-")[0]["spec"]))
    assert len(theirs) == len(words)
    different = [
        (word, mine, his)
        for word, mine, his in zip(words, ours, theirs, strict=True)
        if mine != his or type(mine) is not type(his)
    ]
    assert different == []
