"""measure/dashboard.py: a look, a live display while something runs, and a Prometheus that goes."""

import threading
import time
from urllib.parse import parse_qs, urlsplit

import pytest

import labkit as lab
from labkit.errors import NotFound
from labkit.measure import dashboard, panels

IN_FLIGHT = panels.asked(panels.PANELS[0].lines[0].query, "lab")


def in_flight(said: str) -> list[str]:
    """Series, now, least and most of the first panel's row."""
    (row,) = [line for line in said.splitlines() if line.startswith("in flight (requests)")]
    return row.split()[3:]


class Prometheus:
    """Answers every query; `value` requests are in flight, of all else there is nothing."""

    def __init__(self) -> None:
        self.value, self.status = 0, 200
        self.asked: list[dict] = []

    def answer(self, handler) -> None:
        if self.status != 200:
            handler.send({"message": 'services "prometheus" not found'}, self.status)
            return
        query = {key: one[0] for key, one in parse_qs(urlsplit(handler.path).query).items()}
        self.asked.append(query)
        row = {"metric": {"pod": "ollama"}, "values": [[float(query["end"]), str(self.value)]]}
        found = [row] if query["query"] == IN_FLIGHT else []
        handler.send({"status": "success", "data": {"resultType": "matrix", "result": found}})


@pytest.fixture
def prometheus(connected, monkeypatch) -> Prometheus:
    monkeypatch.setattr(dashboard, "EVERY_S", 0.05)
    made = Prometheus()
    connected(made.answer)
    return made


def test_a_dashboard_alone_is_a_look_at_the_last_five_minutes(prometheus):
    prometheus.value = 3
    said = str(lab.dashboard())
    assert said.startswith("namespace lab, the last 300 s\n")
    assert in_flight(said) == ["ollama", "3", "3", "3"]
    assert {int(one["end"]) - int(one["start"]) for one in prometheus.asked} == {300}
    queries = [panels.asked(line.query, "lab") for one in panels.PANELS for line in one.lines]
    assert [one["query"] for one in prometheus.asked] == [panels.asked(panels.UP, "lab"), *queries]


def test_in_a_with_it_ends_with_what_is_inside_and_tells_the_last_state(prometheus, capsys):
    with lab.dashboard() as board:
        prometheus.value = 4
    said = capsys.readouterr().out
    assert said.splitlines()[0].startswith("in flight: ")
    assert said.endswith(f"✓ {board}\n")
    assert in_flight(said) == ["ollama", "4", "4", "4"]
    assert not [one for one in threading.enumerate() if one.daemon and one is board._thread]


def test_the_last_look_is_late_enough_for_the_end_of_what_was_inside(prometheus):
    with lab.dashboard():
        ended = time.monotonic()
    assert time.monotonic() - ended >= 2 * dashboard.EVERY_S  # a scrape, and a step


def test_a_second_with_goes_on_looking_as_the_first_did(prometheus):
    board = lab.dashboard()
    for _ in range(2):
        with board:
            before = len(prometheus.asked)
            deadline = time.monotonic() + 60
            while len(prometheus.asked) < before + 4 * len(panels.PANELS):
                assert time.monotonic() < deadline
                time.sleep(0.01)
    assert not board._thread.is_alive()


def test_with_a_time_it_ends_by_itself(prometheus, capsys):
    begun = time.monotonic()
    lab.dashboard(seconds=0.2)
    assert 0.2 <= time.monotonic() - begun < 5
    assert "✓ namespace lab" in capsys.readouterr().out
    assert len(prometheus.asked) > 2 * len(panels.PANELS)


def test_an_interrupt_ends_it_without_an_error(prometheus, capsys, monkeypatch):
    def interrupt(seconds: float, sleep=time.sleep) -> None:
        if threading.current_thread() is threading.main_thread():  # as Ctrl-C does
            raise KeyboardInterrupt
        sleep(seconds)

    monkeypatch.setattr(dashboard.time, "sleep", interrupt)
    board = lab.dashboard(minutes=5)
    assert capsys.readouterr().out.endswith(f"✓ {board}\n")


def test_an_error_inside_goes_on_to_the_caller(prometheus, capsys):
    with pytest.raises(ValueError, match="mine"), lab.dashboard():
        raise ValueError("mine")
    assert "✓ namespace lab" in capsys.readouterr().out


def test_without_a_prometheus_it_does_not_begin(prometheus):
    prometheus.status = 404
    with pytest.raises(NotFound) as raised:
        lab.dashboard()
    assert str(raised.value).splitlines() == [
        "NotFound: there is no Prometheus in this lab",
        'saw: services "prometheus" not found',
        "try: ./lab up",
    ]


def test_a_prometheus_that_goes_is_told_beside_what_was_seen(prometheus, capsys):
    prometheus.value = 7
    with lab.dashboard() as board:
        prometheus.status = 404
    assert "■ there is no Prometheus in this lab" in str(board)
    assert in_flight(str(board)) == ["ollama", "7", "7", "7"]
    assert "■ there is no Prometheus in this lab" in board._repr_html_()
    capsys.readouterr()
