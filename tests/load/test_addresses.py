"""Which address requests go to: IPv6, names, several Pods, a dead one among them."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from labkit.load import engine, report, targets
from labkit.load.errors import LoadError
from labkit.load.exchange import Exchanges
from labkit.load.plan import Plan
from labkit.load.result import Result
from labkit.load.targets import Targets
from tests.load.misbehaving import closes_between_requests, cut_in_header, good, serving

pytestmark = pytest.mark.usefixtures("none_leaked")


def planned(url: str, **fields: object) -> Plan:
    usual = {"requests": 40, "clients": 4, "timeout_s": 15.0, "api": "generate", "model": "tiny"}
    return Plan(url=url, method="POST", **{**usual, **fields})


def place(url: str) -> str:
    return url.removeprefix("http://")


@contextlib.contextmanager
def dead() -> Iterator[str]:
    """An address at which nobody listens and, as long as this lasts, nobody can begin to."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{sock.getsockname()[1]}"


def test_the_ipv6_loopback_is_loaded_like_any_other():
    with serving(good, host="::1") as server:
        assert server.url.startswith("http://[::1]:")
        result = engine.run(planned(server.url))
        Targets(planned(server.url)).guard(owned=False)
    assert (result.succeeded, result.failed, server.requests) == (40, 0, 40)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_localhost_is_where_somebody_listens_be_it_ipv4_or_ipv6(host, monkeypatch):
    with serving(good, host=host) as server:
        port = int(server.url.rpartition(":")[2])
        both = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        result = engine.run(planned(f"http://localhost:{port}"))
    assert (result.succeeded, result.failed, server.requests) == (40, 0, 40)


def test_localhost_is_resolved_by_the_system():
    with serving(good) as server:
        result = engine.run(planned(server.url.replace("127.0.0.1", "localhost")))
        Targets(planned(server.url)).guard(owned=False)
    assert (result.succeeded, result.failed, server.requests) == (40, 0, 40)


def test_a_name_without_an_address_is_refused_in_three_lines():
    with pytest.raises(LoadError) as refused:
        engine.run(planned("http://nowhere.invalid"))
    happened, saw, hint = str(refused.value).splitlines()
    assert happened == "LoadError: the target's name has no address"
    assert saw.startswith("saw: nowhere.invalid: ")
    assert hint == "try: look at the URL's host"


def test_several_addresses_share_the_clients():
    with serving(good) as one, serving(good) as two:
        plan = planned("http://ollama", addresses=(place(one.url), place(two.url)))
        result = engine.run(plan)
    assert (result.succeeded, result.failed) == (40, 0)
    assert (one.connections, two.connections) == (2, 2)
    assert one.requests + two.requests == 40


@pytest.mark.parametrize("rate", [None, 400.0], ids=["closed", "open"])
def test_fewer_clients_than_addresses_send_all_requests(rate):
    with serving(good) as one, serving(good) as two:
        plan = planned("http://ollama", addresses=(place(one.url), place(two.url)), clients=1)
        result = engine.run(plan.replace(rate=rate))
    assert (result.succeeded, result.failed) == (40, 0)


@pytest.mark.parametrize(("clients", "used"), [(1, 1), (2, 2), (4, 2)])
def test_of_several_addresses_it_is_told_how_many_answered(clients, used):
    with serving(good) as one, serving(good) as two:
        places = (place(one.url), place(two.url))
        result = engine.run(planned("http://ollama", addresses=places, clients=clients, warmup=2))
    told = result.plain()["client"]["addresses"]
    assert told.keys() == set(places)
    assert sum(told.values()) == 40 and sum(answers > 0 for answers in told.values()) == used
    assert f"  Addresses:     {used} of 2 answered" in report.text(result)
    notes = [note for note in result.notes() if "addresses" in note]
    assert notes == (
        ["1 of 2 addresses answered: 1 got no request, because a client keeps to one: -c 2 or more"]
        if used == 1
        else []
    )
    again = Result.from_json(result.to_json())
    merged = Result.merge([again, again])
    assert merged.addresses == {name: 2 * count for name, count in told.items()}


@pytest.mark.parametrize("warmup", [0, 4])
def test_a_connection_counts_where_an_answer_came_on_it_be_it_opened_in_a_warm_up(warmup):
    with serving(good) as server:
        result = engine.run(planned(server.url, warmup=warmup))
        assert (result.connections, server.connections) == (4, 4)
        again = Result.merge([Result.from_json(result.to_json())] * 2)
        assert again.connections == 8
        away = engine.run(planned(server.url, keep_alive=False))
    assert away.connections == 40


def test_a_connection_on_which_no_answer_comes_is_not_counted():
    with serving(cut_in_header) as server:
        result = engine.run(planned(server.url, requests=4))
    assert (result.failed, result.connections) == (4, 0)


def test_a_dead_address_is_not_among_those_that_answered():
    with serving(good) as server, dead() as nobody:
        result = engine.run(planned("http://ollama", addresses=(nobody, place(server.url))))
    assert result.addresses == {nobody: 0, place(server.url): result.succeeded}
    assert result.address_failures == {nobody: result.failed}
    again = Result.from_json(result.to_json())
    for one in (result, again, Result.merge([again, again])):
        (note,) = [note for note in one.notes() if "addresses" in note]
        assert note == f"1 of 2 addresses answered: every request to {nobody} failed"


def test_where_every_request_failed_no_more_clients_are_advised():
    with dead() as one, dead() as two:
        result = engine.run(planned("http://ollama", addresses=(one, two), clients=2))
    (note,) = result.notes()
    assert note == (
        f"0 of 2 addresses answered: every request to {one} failed, every request to {two} failed"
    )


def test_fewer_requests_than_addresses_are_told_with_the_option_for_it():
    with serving(good) as one, serving(good) as two:
        places = (place(one.url), place(two.url))
        plan = planned("http://ollama", addresses=places, clients=2, requests=1)
        results = [engine.run(plan), engine.run(plan.replace(keep_alive=False))]
    said = "1 of 2 addresses answered: 1 got no request, which takes -n 2 or more"
    assert [result.notes() for result in results] == [[said], [said]]


def test_an_address_that_the_name_gets_later_is_counted_with_those_before(monkeypatch):
    monkeypatch.setattr(targets, "ASK_AGAIN_S", 0.0)
    with serving(good) as one, serving(good) as two:
        known = [(socket.AF_INET, ("127.0.0.1", int(one.url.rpartition(":")[2])))]
        added = (socket.AF_INET, ("127.0.0.1", int(two.url.rpartition(":")[2])))
        monkeypatch.setattr(targets, "resolve", lambda *_: list(known))
        exchanges = Exchanges(planned("http://ollama"))
        assert exchanges.result.addresses == {place(one.url): 0}
        known.append(added)
        while len(exchanges.result.addresses) < 2:
            exchanges.look_again()
        exchanges.close()
    assert exchanges.result.addresses == {place(one.url): 0, place(two.url): 0}


def test_the_answers_of_a_name_with_one_address_count_when_it_gets_another(monkeypatch):
    monkeypatch.setattr(targets, "ASK_AGAIN_S", 0.0)
    with serving(good) as one, serving(good) as two:
        ports = [int(server.url.rpartition(":")[2]) for server in (one, two)]

        def resolve(*_: object) -> list:
            found = [(socket.AF_INET, ("127.0.0.1", port)) for port in ports]
            return found if one.requests else found[:1]

        monkeypatch.setattr(targets, "resolve", resolve)
        plan = planned("http://ollama", requests=None, seconds=1.0, clients=2, client_rate=50.0)
        result = engine.run(plan)
    assert result.addresses == {place(one.url): one.requests, place(two.url): two.requests}
    assert two.requests > 0 and result.failed == 0


def test_workers_of_one_client_each_begin_at_different_addresses():
    places = ("127.0.0.1:1", "127.0.0.1:2")
    plan = planned("http://ollama", addresses=places, clients=2)
    first = [Targets(plan.share(index, 2)).take()[1][1] for index in (0, 1)]
    assert first == [1, 2]


def test_of_one_address_nothing_is_told():
    """A Service's: its Pods cannot be told apart."""
    with serving(good) as server:
        result = engine.run(planned(server.url))
    assert result.plain()["client"]["addresses"] == {}
    assert "addresses" not in report.text(result).lower()


def test_the_connections_of_one_client_after_the_other_go_to_each_address_in_turn():
    with serving(closes_between_requests) as one, serving(closes_between_requests) as two:
        plan = planned("http://ollama", addresses=(place(one.url), place(two.url)), clients=1)
        result = engine.run(plan.replace(keep_alive=False))
    assert (result.succeeded, result.failed) == (40, 0)
    assert (one.requests, two.requests) == (20, 20)


@pytest.mark.parametrize("first", ["dead", "alive"])
@pytest.mark.parametrize(
    "loop", [{"rate": None}, {"rate": 400.0, "clients": 8}], ids=["closed", "open"]
)
def test_a_dead_address_fails_no_more_than_its_share_of_the_requests(loop, first):
    """kube-proxy gives each of two Pods half of the connections; so may a list of addresses."""
    with serving(good) as server, dead() as nobody:
        both = (nobody, place(server.url)) if first == "dead" else (place(server.url), nobody)
        result = engine.run(planned("http://ollama", addresses=both, **loop))
    assert result.failures["connect"] == result.failed
    assert result.succeeded + result.failed == 40
    assert 1 <= result.failed <= 20
    assert result.failure_examples == {"connect": "Connection refused"}
    assert server.requests == result.succeeded


def test_a_dead_address_alone_fails_every_request_and_ends():
    with dead() as nobody:
        result = engine.run(planned("http://ollama", addresses=(nobody,)))
    assert (result.failures["connect"], result.failed) == (40, 40)


def test_a_time_out_while_connecting_counts_nothing_of_the_answer_before(monkeypatch):
    exchanges = Exchanges(planned("http://127.0.0.1:9"))
    connection = exchanges.connection()
    before = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"error":"old!"}\n'
    connection.reader.feed(before)
    assert (connection.reader.status, connection.reader.complete) == (200, True)
    monkeypatch.setattr(exchanges, "_connect", lambda one: None)  # its SYN stays without an answer
    exchanges.begin(connection, 0)
    exchanges.failed(connection, "timeout", "not whole after 15 s")
    exchanges.close()
    assert [kind for kind, count in exchanges.result.failures.items() if count] == ["timeout"]
    assert not exchanges.result.statuses
