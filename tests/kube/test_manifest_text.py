"""labkit/kube/manifest_text.py: which lines are marked, which folded; in text and in HTML."""

import re

import pytest

import labkit as lab
from labkit.kube import apply, manifest_text, manifests
from labkit.lessons.trials import WAYS

PLAIN = "k8s/steps/05-plain"
# what the lesson says that a way adds, as its manifest has it
ADDS = {
    "05-baked": ["image: lab/ollama-baked"],
    "05-hook-naive": ["postStart:", "ollama pull"],
    "05-hook": ["postStart:", "until ollama list", "ollama pull"],
    "05-init": ["initContainers:", "ollama pull"],
    "05-sidecar": ["initContainers:", "restartPolicy: Always", "ollama show"],
    "05-store": ["kind: PersistentVolumeClaim", "kind: Job", "claimName: models"],
}


def marked(folder: str) -> str:
    lines = manifests.text(f"k8s/steps/{folder}").splitlines()
    marks = manifest_text.unlike(lines, manifests.text(PLAIN).splitlines())
    return "\n".join(line for line, mark in zip(lines, marks, strict=True) if mark)


@pytest.mark.parametrize("folder", ADDS)
def test_a_ways_manifest_marks_what_the_lesson_says_that_it_adds(folder):
    for words in ADDS[folder]:
        assert words in marked(folder)
    assert "terminationGracePeriodSeconds" not in marked(folder) or folder == "05-store"
    assert {way.folder for way in WAYS.values()} - {"05-plain"} <= set(ADDS)


def test_the_hooks_are_one_difference_each():
    assert [line.strip() for line in marked("05-hook-naive").splitlines() if "#" not in line] == [
        'command: [sh, -c, "sleep 10; exec ollama serve"]',
        "lifecycle:",
        "postStart:",
        """exec: {command: [sh, -c, 'ollama pull --insecure "$MODEL"']}""",
    ]
    assert marked("05-hook").splitlines()[0].strip() == "lifecycle:"


def test_what_is_far_from_a_mark_is_folded_and_counted(capsys):
    shown = lab.manifest("k8s/steps/05-hook", against=PLAIN)
    out = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"… \d+ lines", out[0])
    folded = sum(int(n) for n in re.findall(r"^… (\d+) line", "\n".join(out), re.MULTILINE))
    kept = [line for line in out if not line.startswith("…")]
    assert folded + len(kept) == len(manifests.text("k8s/steps/05-hook").splitlines())
    marks = [line[2:] for line in out if line.startswith("> ")]
    assert marks == marked("05-hook").splitlines()
    assert str(shown) == manifests.text("k8s/steps/05-hook")


def test_words_can_be_looked_for(capsys):
    lab.manifest("k8s/steps/08-proxy/haproxy.yaml", find=("maxconn", "OLLAMA_MAX_QUEUE"))
    out = capsys.readouterr().out.splitlines()
    marks = [line for line in out if line.startswith("> ")]
    assert all("maxconn" in line or "OLLAMA_MAX_QUEUE" in line for line in marks)
    assert len(marks) == len(
        re.findall(
            "maxconn .*|OLLAMA_MAX_QUEUE.*", str(apply.manifest("k8s/steps/08-proxy/haproxy.yaml"))
        )
    )
    assert len(out) < 40


def test_without_a_mark_all_of_it_is_shown_as_it_is(capsys):
    lab.manifest(PLAIN)
    assert capsys.readouterr().out == manifests.text(PLAIN)


def test_html_has_a_box_that_scrolls_by_keyboard_and_text_that_is_escaped():
    html = manifest_text.html(
        manifest_text.parts(["a: <b>", ""] + ["x"] * 9, [True] + [False] * 10)
    )
    assert html.startswith('<pre tabindex="0"')
    assert "&gt; a: &lt;b&gt;" in html
    assert "<details><summary>… 7 lines</summary>" in html
