"""./lab versions: its verdicts, its table, its exit codes, and what it says offline."""

import json
from datetime import date

import pytest

from labkit.commands import main as cli
from labkit.commands import versions
from labkit.setup.build import pins, served
from labkit.setup.build.pins import Pin
from labkit.setup.build.served import OFFLINE, Answer

TODAY = date(2026, 11, 29)
GO = "Go module x"


def row(version: str, *answers: Answer, ends: date | None = None, **pin) -> versions.Row:
    told = Pin("x", version, ("versions.toml x",), ends=ends, source="https://x", **pin)
    return versions.Row(told, answers, TODAY)


def told(*of: str, local: bool = False) -> Answer:
    return Answer(GO, of, local=local)


@pytest.mark.parametrize(
    ("pinned", "served_versions", "verdict"),
    [
        ("1.34.0", ["1.34.0", "1.33.9"], "current"),
        ("1.34.0", ["1.34.2", "1.34.0"], "newer patch"),
        ("1.34.0", ["1.34.2", "1.37.2"], "newer"),
        ("1.37.2", ["1.37.2", "1.38.0-beta.0"], "current"),
        ("3.19.0", ["3.19.0", "4.0.0rc1"], "current"),
        ("0.24.0", ["0.6.5", "0.17.4"], "not told: the list ends at 0.17.4"),
        ("3.11", ["3.11.2"], "current"),
        ("3.11", ["3.14"], "newer"),
    ],
)
def test_a_pin_beside_what_is_served(pinned, served_versions, verdict):
    assert row(pinned, told(*served_versions)).verdict == verdict


def test_both_the_newest_and_the_newest_of_the_same_line_are_told():
    one = row("1.34.0", told("1.34.2", "1.34.10", "1.37.2", "1.38.0-beta.0"))
    assert (one.newest_of_line, one.newest) == ("1.34.10", "1.37.2")
    assert row("0.24.0", told("0.17.4")).newest_of_line == ""


def test_of_several_that_answer_the_newest_counts():
    one = row("3.19.0", told("3.19.0", "3.22.0"), told("4.3.2"), Answer("image x", why=OFFLINE))
    assert (one.newest, one.verdict) == ("4.3.2", "newer")


def test_what_only_debian_was_asked_for_is_the_newest_of_debian_alone():
    one = row("2.6.12", told("2.6.12", local=True), suite="bookworm")
    assert one.verdict == "current, for Debian bookworm"
    assert versions.summary([one]) == "1 pin: 1 current"


@pytest.mark.parametrize(
    ("ends", "past"), [(date(2026, 11, 28), True), (TODAY, False), (None, False)]
)
def test_support_lasts_through_its_last_day(ends, past):
    one = row("1.0.0", told("1.0.0"), ends=ends)
    assert one.past is past
    assert (one.verdict == versions.PAST) is past


def test_past_its_support_outweighs_newer_and_offline():
    over = date(2026, 1, 1)
    assert row("1.0.0", told("2.0.0"), ends=over).verdict == versions.PAST
    assert row("1.0.0", Answer(GO, why=OFFLINE), ends=over).verdict == versions.PAST


def test_what_could_not_be_asked_says_why():
    assert row("1.0.0", Answer(GO, why=OFFLINE)).verdict == "not asked: offline"
    says_no = Answer(GO, why="403")
    assert row("1.0.0", Answer("image x", why=OFFLINE), says_no).verdict == "not asked: 403"
    assert row("1.0.0").verdict == "not asked: no registry lists its versions"


def test_a_debian_release_is_supported_until_its_day():
    assert row("bookworm", ends=date(2028, 6, 30)).verdict == "supported"
    assert row("bookworm", ends=date(2026, 6, 30)).verdict == versions.PAST


@pytest.fixture
def found(monkeypatch):
    """What `./lab versions` finds."""

    def put(*rows: versions.Row) -> None:
        monkeypatch.setattr(versions, "rows", lambda today: list(rows))

    return put


def test_all_well_is_0_whatever_is_newer(found, capsys):
    found(row("1.0.0", told("2.0.0")), row("1.0.0", told("1.0.0")))
    assert cli.main(["versions"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "WHAT"
    assert lines[-1] == "2 pins: 1 newer, 1 current"


def test_a_pin_past_its_support_is_1_and_names_its_day_and_who_says_so(found, capsys):
    found(row("1.0.0", told("1.0.0"), ends=date(2026, 1, 1)))
    assert cli.main(["versions"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "x 1.0.0: support ended on 2026-01-01 (https://x)"


def test_offline_is_2_in_three_lines_after_the_table(found, capsys):
    apt = Answer("Debian bookworm x", ("1.0.0",), local=True)  # of this machine's own list
    found(row("1.0.0", Answer(GO, why=OFFLINE), apt), row("2.0.0", Answer(GO, why=OFFLINE)))
    assert cli.main(["versions"]) == 2
    out, err = capsys.readouterr()
    assert "not asked: offline" in out
    assert err.splitlines() == [
        "CommandFailed: none of 2 pins could be compared",
        "saw: offline (2)",
        "try: ./lab versions again with a network that reaches PyPI or a Go module proxy",
    ]


def test_offline_with_a_pin_past_its_support_is_1_and_still_says_offline(found, capsys):
    found(row("1.0.0", Answer(GO, why=OFFLINE), ends=date(2026, 1, 1)))
    assert cli.main(["versions"]) == 1
    out, err = capsys.readouterr()
    assert "past its support" in out
    assert "saw: offline (1)" in err


def test_one_answer_is_enough_not_to_be_offline(found, capsys):
    found(row("1.0.0", told("1.0.0")), row("2.0.0", Answer(GO, why=OFFLINE)))
    assert cli.main(["versions"]) == 0
    assert capsys.readouterr().err == ""


def test_json_has_all_that_the_table_has_and_the_places(found, capsys):
    found(row("1.0.0", told("1.0.1"), ends=date(2030, 1, 1)))
    assert cli.main(["versions", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {
            "what": "x",
            "pinned": "1.0.0",
            "newest_of_line": "1.0.1",
            "newest": "1.0.1",
            "supported_until": "2030-01-01",
            "source": "https://x",
            "verdict": "newer patch",
            "places": ["versions.toml x"],
            "asked": [{"of": GO, "why_not": ""}],
        }
    ]


@pytest.fixture
def asking(monkeypatch):
    """Registries that answer in this process; each question is noted."""
    questions = []

    def of(kind: str, why: str):
        def answer(*words) -> Answer:
            questions.append((kind, *words))
            return Answer(kind, () if why else ("1.0.0",), why)

        return answer

    def put(why: str = "") -> list:
        for kind in ("module", "python", "debian", "image"):
            monkeypatch.setattr(served, f"of_{kind}", of(kind, why))
        monkeypatch.setattr(served, "images_answer", lambda: not why)
        return questions

    return put


def test_each_pin_is_asked_at_all_that_serve_it(asking):
    questions = asking()
    image = versions._images()[0]
    both = Pin("a", "1.0.0", (), go=("m/v3", "m/v4"), image=image.reference)
    package = Pin("b", "1.0.0", (), suite="bookworm", package="p", pypi="b")
    answers = versions.asked([both, package])
    assert sorted(map(str, questions)) == sorted(
        map(
            str,
            [
                ("module", "m/v3"),
                ("module", "m/v4"),
                ("image", image),
                ("debian", "bookworm", "p"),
                ("python", "b"),
            ],
        )
    )
    assert [[one.asked for one in told] for told in answers] == [
        ["module", "module", "image"],
        ["python", "debian"],
    ]


def test_a_client_that_does_not_get_through_is_soon_left_alone(asking):
    questions = asking(OFFLINE)
    wanted = [Pin(f"p{n}", "1.0.0", (), pypi=f"p{n}") for n in range(60)]
    answers = versions.asked(wanted)
    assert {told.why for one in answers for told in one} == {OFFLINE}
    assert len(questions) <= versions.GIVE_UP + versions.AT_A_TIME


def test_a_registry_that_says_no_is_asked_for_the_next_one(asking):
    questions = asking("403")
    versions.asked([Pin(f"p{n}", "1.0.0", (), pypi=f"p{n}") for n in range(20)])
    assert len(questions) == 20


def test_the_labs_own_pins_are_all_in_the_table(asking):
    asking()
    found = versions.rows(TODAY)
    assert [one.pin for one in found] == pins.every()
    assert len(versions.table(found)) == len(found)
    assert all(one.verdict for one in found)
