"""tests/reworded.py: a test of wording is skipped, a decision that was taken by words fails."""

import os
import subprocess
import sys
from pathlib import Path

SAMPLES = """
import pytest
from labkit.errors import LabError

def refuse():
    raise LabError("it is full", "503", "later")

def is_full_by_words():
    try:
        refuse()
    except LabError as error:
        return error.happened == "it is full"

def test_a_field():
    with pytest.raises(LabError) as raised:
        refuse()
    assert raised.value.saw == "503"

def test_wording():
    with pytest.raises(LabError, match="it is full"):
        refuse()

def test_wording_of_the_hint():
    with pytest.raises(LabError) as raised:
        refuse()
    assert raised.value.hint == "later"

def test_decided():
    assert is_full_by_words()
"""


def test_each_kind_of_test_is_told_apart(tmp_path):
    (tmp_path / "test_samples.py").write_text(SAMPLES)
    words = [sys.executable, "-P", "-m", "pytest", "-p", "tests.reworded", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*words, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # they cost the most of its start
        },
    )
    outcomes = [
        line.split("::")[1].split()[:2] for line in done.stdout.splitlines() if "::" in line
    ]
    assert outcomes[:4] == [
        ["test_a_field", "PASSED"],
        ["test_wording", "SKIPPED"],
        ["test_wording_of_the_hint", "SKIPPED"],
        ["test_decided", "FAILED"],
    ], done.stdout + done.stderr
