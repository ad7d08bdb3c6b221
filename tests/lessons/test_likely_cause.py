"""labkit/lessons/likely_cause.py: a load test that nobody answers names the classic mistake."""

import inspect
from types import SimpleNamespace

import pytest

import labkit
from labkit.errors import ModelMissing, Unreachable
from labkit.kube import session
from labkit.lessons import likely_cause
from labkit.measure import load_test

SILENT = Unreachable("service/ollama does not answer", "refused", "look")
MISTAKE = SimpleNamespace(cause="the Service leads to another port", fix="correct it")


@pytest.fixture
def fails(monkeypatch):
    """A load test, and a command, that fail with this error while the namespace looks so."""
    monkeypatch.setattr(session, "_current", "here")

    def make(error, mistake):
        def fail(*_, **__):
            raise error

        monkeypatch.setattr(load_test, "asked", fail)
        monkeypatch.setattr(load_test, "command", fail)
        monkeypatch.setattr(likely_cause.hints, "likely", lambda here: mistake)

    return make


@pytest.mark.parametrize(
    "call",
    [
        lambda: labkit.load_test("service/ollama"),
        lambda: likely_cause.command(["service/ollama"]),
    ],
)
def test_a_silent_target_is_told_with_the_likely_cause(fails, call):
    fails(SILENT, MISTAKE)
    with pytest.raises(Unreachable) as error:
        call()
    assert str(error.value).splitlines() == [
        "Unreachable: service/ollama does not answer",
        "saw: refused; likely: the Service leads to another port",
        "try: correct it",
    ]


def test_without_a_likely_cause_the_error_stays_as_it_is(fails):
    fails(SILENT, None)
    with pytest.raises(Unreachable) as error:
        labkit.load_test("service/ollama")
    assert error.value is SILENT


def test_another_error_is_not_explained(fails):
    missing = ModelMissing("no model", "none", "pull it", status=404)
    fails(missing, MISTAKE)
    with pytest.raises(ModelMissing) as error:
        labkit.load_test("service/ollama")
    assert error.value is missing


def test_it_takes_and_says_what_the_load_test_itself_does():
    assert inspect.signature(labkit.load_test) == inspect.signature(load_test.load_test)
    assert labkit.load_test.__doc__ == load_test.load_test.__doc__
