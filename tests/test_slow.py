"""labkit/bringup/slow.py: the slow model is made once, whoever asks for it."""

import threading
import time

import pytest

from labkit.bringup import kube, model, paths, slow
from labkit.errors import TimedOut


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """What was grown; the mirror has it from then on."""
    grown: list[str] = []

    def run(*_: object, **__: object) -> None:
        time.sleep(0.3)
        grown.append(f"slow-{model.inputs()}")

    monkeypatch.setattr(slow.shell, "run", run)
    monkeypatch.setattr(slow.mirror, "tags", lambda *_, **__: list(grown))
    monkeypatch.setattr(slow.model, "make", lambda *_: None)
    return grown


def test_two_notebooks_that_want_the_slow_model_make_it_once(made):
    answers: list[bool] = []

    def ask() -> None:
        answers.append(slow.ensure(kube.Lab(), lambda _: None))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == [False, True]
    assert len(made) == 1


@pytest.mark.usefixtures("made")
def test_one_that_never_ends_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(slow, "MAKE_S", 0.1)
    paths.state().mkdir(parents=True, exist_ok=True)
    with slow.filelock.FileLock(paths.state("slow.lock")), pytest.raises(TimedOut) as caught:
        slow.ensure(kube.Lab(), lambda _: None)
    assert "is making it" in str(caught.value)
