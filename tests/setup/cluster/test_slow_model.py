"""slow_model.py: made once, whoever asks, and so large that an answer takes a second."""

import threading
import time

import pytest

from labkit.errors import ModelUnavailable, TimedOut
from labkit.setup.cluster import labs, model, slow_model
from labkit.setup.host import paths

LAB = labs.Lab()


class Machine:
    """One whose answers take so long for each layer; what was grown, and what the mirror has."""

    def __init__(self) -> None:
        self.s_per_layer = 1.25 / slow_model.REFERENCE_LAYERS
        self.grown: list[int] = []
        self.tags: list[str] = []

    def grow(self, *words: object, **_: object) -> None:
        time.sleep(0.05)
        self.grown.append(int(str(words[-1]).partition("x")[2]))

    def publish(self, lab: labs.Lab, local: str, names: tuple[str, ...]) -> None:
        self.tags += [name.rpartition(":")[2] for name in names]


@pytest.fixture
def machine(monkeypatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(slow_model.shell, "run", made.grow)
    monkeypatch.setattr(slow_model.services, "tags", lambda *_, **__: made.tags)
    monkeypatch.setattr(slow_model.model, "create", lambda *_: None)
    monkeypatch.setattr(slow_model.model, "publish", made.publish)
    monkeypatch.setattr(
        slow_model.model, "answer_cpu_s", lambda *_: made.grown[-1] * made.s_per_layer
    )
    monkeypatch.setattr(slow_model.speed, "cpus", lambda: 2.0)
    return made


def ensure() -> bool:
    return slow_model.ensure(LAB, lambda _: None)


def test_two_notebooks_that_want_the_slow_model_make_it_once(machine):
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(ensure())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == [False, True]
    assert machine.grown == [24]
    assert machine.tags == ["slow", f"sized-{model.inputs()}"], "the mark is last"


@pytest.mark.parametrize(
    ("speed", "layers"), [("1", [24]), ("0.5", [12]), ("0.25", [6]), ("2", [40]), ("0.12", [3])]
)
def test_a_machine_gets_as_many_layers_as_it_is_fast(machine, monkeypatch, speed, layers):
    monkeypatch.setenv("LAB_SPEED", speed)
    machine.s_per_layer /= float(speed)
    ensure()
    assert machine.grown == layers


@pytest.mark.parametrize(
    ("times", "layers"), [(0.5, [24, 40]), (0.75, [24, 29]), (1.1, [24]), (2.0, [24, 11])]
)
def test_where_an_answer_takes_another_time_than_the_measure_promised_it_is_grown_again(
    machine, times, layers
):
    machine.s_per_layer *= times
    ensure()
    assert machine.grown == layers


def test_what_a_quota_leaves_of_a_processor_counts(machine, monkeypatch):
    monkeypatch.setattr(slow_model.speed, "cpus", lambda: 0.5)
    ensure()
    assert machine.grown == [24, 11]


def test_one_that_cannot_be_met_is_taken_as_it_is_after_three(machine, monkeypatch):
    said = iter([0.1, 9.0, 0.1])
    monkeypatch.setattr(slow_model.model, "answer_cpu_s", lambda *_: next(said))
    assert ensure()
    assert machine.grown == [24, 40, 5]


@pytest.mark.parametrize(("speed", "again"), [("1", False), ("0.85", False), ("0.5", True)])
def test_a_machine_that_has_become_slower_gets_another(machine, monkeypatch, speed, again):
    ensure()
    monkeypatch.setenv("LAB_SPEED", speed)
    machine.s_per_layer /= float(speed)
    assert ensure() is again
    assert not ensure(), "and keeps that one"


def test_what_somebody_else_brought_to_a_clusters_mirror_is_taken(machine, monkeypatch):
    machine.tags = ["slow", f"sized-{model.inputs()}"]
    monkeypatch.setenv("LAB_SPEED", "0.3")
    assert not ensure()
    assert machine.grown == []


@pytest.mark.usefixtures("machine")
def test_one_that_never_ends_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(slow_model, "MAKE_S", 0.1)
    paths.state().mkdir(parents=True, exist_ok=True)
    with slow_model.filelock.FileLock(paths.state("slow.lock")), pytest.raises(TimedOut) as caught:
        slow_model.ensure(LAB, lambda _: None)
    assert "is making it" in str(caught.value)


def test_the_processors_time_of_an_answer_is_read_from_all_processes(monkeypatch):
    """proc(5): a name may hold blanks and brackets; utime and stime are fields 14 and 15."""
    row = "{} (ollama (run) x) S 1 1 1 0 -1 4194560 1 0 0 0 {} {} 0 0 20 0 9 0 1 1 1"
    said = iter(
        [
            "\n".join(["100", row.format(1, 50, 10), row.format(20, 900, 40)]),
            "\n".join(["100", row.format(1, 51, 10), row.format(20, 1010, 64)]),
        ]
    )
    monkeypatch.setattr(labs.Lab, "kubectl", lambda *_, **__: next(said))
    monkeypatch.setattr(model, "_ollama", lambda *_, **__: ("", ""))
    assert model.answer_cpu_s(LAB, "x") == pytest.approx(1.35)


def test_a_process_that_is_replaced_between_two_looks_is_looked_at_again(monkeypatch):
    looks = iter([9.0, 2.0, 2.0, 3.25])
    monkeypatch.setattr(model, "_cpu_s", lambda _: next(looks))
    monkeypatch.setattr(model, "_ollama", lambda *_, **__: ("", ""))
    assert model.answer_cpu_s(LAB, "x") == 1.25
    monkeypatch.setattr(model, "_cpu_s", lambda _: 1.0)
    with pytest.raises(ModelUnavailable, match="could not be measured"):
        model.answer_cpu_s(LAB, "x")


def test_a_machine_whose_answers_are_known_is_guessed_right_the_next_time(machine, monkeypatch):
    machine.s_per_layer *= 2  # not what the measure promises
    ensure()
    assert machine.grown == [24, 11]
    monkeypatch.setenv("LAB_SPEED", "0.5")
    machine.s_per_layer *= 2
    ensure()
    assert machine.grown == [24, 11, 6]
