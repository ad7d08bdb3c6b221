"""Parts over HTTP: a cut answer is continued, a damaged part is fetched again, alone."""

import http.server
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from labkit.bundle import blobs, check, fetch, layout, source
from labkit.errors import BundleDamaged, BundleUnreadable, CommandFailed
from labkit.setup.host import shell, speed


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(fetch, "PAUSE_S", 0.0)


@pytest.fixture
def largest(opened):
    """The largest part, and where it starts in the file."""
    part = max(opened.contents.parts, key=lambda part: part.size)
    return part, opened.places[part.path].start


def test_every_part_comes_by_ranges(file, opened, ranges):
    bundle = source.opened(ranges(file))
    assert bundle.contents == opened.contents
    for part in bundle.contents.parts:
        assert fetch.part(bundle, part).read_bytes() == b"".join(opened.chunks(part))
    assert list(check.every_damage(bundle)) == []


def test_a_cut_answer_is_continued_where_it_ended(file, opened, largest, ranges):
    part, start = largest
    asked_for_it = []

    def half(data, first, asked):
        if start <= first < start + part.size:
            asked_for_it.append(first - start)
            return data[: len(data) // 2] if len(asked_for_it) == 1 else data
        return data

    bundle = source.opened(ranges(file, half))
    assert fetch.part(bundle, part).read_bytes() == b"".join(opened.chunks(part))
    assert asked_for_it == [0, part.size // 2]


def test_what_an_ended_run_has_fetched_is_not_fetched_again(file, opened, largest, ranges):
    part, start = largest
    blobs.folder().mkdir(parents=True, exist_ok=True)
    aside = blobs.path(part.sha256).with_suffix(".part")
    aside.write_bytes(b"".join(opened.chunks(part))[:1000])
    firsts = []
    bundle = source.opened(ranges(file, lambda data, first, asked: firsts.append(first) or data))
    fetch.part(bundle, part)
    fetch.part(bundle, part)
    assert firsts[-1] == start + 1000
    assert len([first for first in firsts if first > start + 1000]) == 0


def test_a_damaged_part_is_fetched_once_more_and_no_other(file, opened, ranges):
    part = opened.contents.of("layer")[0]
    start = opened.places[part.path].start
    counts: dict[int, int] = {}

    def spoil(data, first, asked):
        counts[first] = counts.get(first, 0) + 1
        return b"!" + data[1:] if first == start and counts[first] == 1 else data

    bundle = source.opened(ranges(file, spoil))
    for one in bundle.contents.parts:
        fetch.part(bundle, one)
    firsts = {one.path: opened.places[one.path].start for one in bundle.contents.parts}
    assert {path: counts[first] for path, first in firsts.items()} == {
        path: 2 if path == part.path else 1 for path in firsts
    }


def test_a_part_that_is_damaged_there_too_is_named(file, opened, ranges):
    part = opened.contents.of("layer")[0]
    start = opened.places[part.path].start
    bundle = source.opened(
        ranges(file, lambda data, first, asked: b"!" + data[1:] if first == start else data)
    )
    with pytest.raises(BundleDamaged) as caught:
        fetch.part(bundle, part)
    assert caught.value.saw == f"{part}: its SHA-256 is another one, twice"
    assert not blobs.path(part.sha256).exists()


def test_a_server_that_went_away_is_said_so(file, ranges, answering):
    bundle = source.opened(ranges(file))
    gone = source.Bundle(
        "http://127.0.0.1:9/x",
        source.Web("http://127.0.0.1:9/x"),
        bundle.contents,
        bundle.made,
        bundle.places,
    )
    with pytest.raises(BundleUnreadable, match=r"127\.0\.0\.1:9"):
        fetch.part(gone, bundle.contents.parts[-1])


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        return


@pytest.fixture
def plain(file, tmp_path):
    """The URL of `python3 -m http.server` in the bundle's folder."""
    folder = tmp_path / "web"
    shutil.unpack_archive(file, folder, "tar", filter="data")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_plain_server_of_the_folder_is_enough(file, opened, plain, tmp_path):
    """`python -m http.server` answers no ranges."""
    bundle = source.opened(plain)
    for part in bundle.contents.parts:
        assert fetch.part(bundle, part).read_bytes() == b"".join(opened.chunks(part))
    shutil.copy(file, tmp_path / "web" / "small.lab")
    with pytest.raises(BundleUnreadable, match="cannot be read") as caught:
        source.opened(f"{plain}small.lab")
    assert "does not answer ranges" in caught.value.saw


def test_two_jobs_with_the_same_layer_fetch_it_once(file, opened, largest, ranges):
    part, start = largest
    asked_for_it = []

    def slow(data, first, asked):
        if start <= first < start + part.size:
            asked_for_it.append(first)
            time.sleep(0.3)
        return data

    bundle = source.opened(ranges(file, slow))
    with ThreadPoolExecutor(2) as pool:
        files = list(pool.map(lambda _: fetch.part(bundle, part), range(2)))
    assert files[0].read_bytes() == files[1].read_bytes() == b"".join(opened.chunks(part))
    assert asked_for_it == [start]


def test_a_part_that_is_cut_many_times_comes_as_long_as_it_grows(file, opened, largest, ranges):
    part, start = largest
    count = []

    def little(data, first, asked):
        if start <= first < start + part.size:
            count.append(first)
            return data[: part.size // 9 + 1]
        return data

    bundle = source.opened(ranges(file, little))
    assert fetch.part(bundle, part).read_bytes() == b"".join(opened.chunks(part))
    assert len(count) == 9 > 2 * fetch.TRIES


def test_a_part_that_never_grows_is_not_called_damaged(file, opened, largest, ranges, monkeypatch):
    part, start = largest
    pauses = []
    monkeypatch.setattr(fetch, "pause", pauses.append)
    monkeypatch.setattr(fetch, "PAUSE_S", 1.0)
    bundle = source.opened(ranges(file, lambda data, first, asked: b"" if first >= start else data))
    with pytest.raises(BundleUnreadable) as caught:
        fetch.part(bundle, part)
    assert caught.value.saw == f"{part}: its answer was cut each time"
    assert pauses == [1.0, 2.0, 3.0]


def test_a_plain_server_of_the_folder_continues_too(opened, largest, plain):
    """It sends all of the part again: what is here already is skipped."""
    part, _ = largest
    whole = b"".join(opened.chunks(part))
    blobs.folder().mkdir(parents=True, exist_ok=True)
    blobs.path(part.sha256).with_suffix(".part").write_bytes(whole[:1000])
    bundle = source.opened(plain)
    assert b"".join(bundle.chunks(part, 1000)) == whole[1000:]
    assert fetch.part(bundle, part).read_bytes() == whole


def test_waiting_in_a_full_room_ends_with_the_other_jobs(file, answering, ranges):
    """And a server that asks for no wait is not asked again at once."""
    bundle = source.opened(ranges(file))
    count = []

    def full(handler) -> None:
        count.append(1)
        handler.send_response(503)
        handler.send_header("Retry-After", "0" if len(count) < 2 else "600")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    busy = replace(bundle, source=source.Web(f"{answering(full)}/small.lab"))
    stop = threading.Timer(1.5, shell.end_all)
    stop.start()
    begun = time.monotonic()
    try:
        with pytest.raises(CommandFailed, match="not started"):
            fetch.part(busy, bundle.contents.parts[-1])
    finally:
        stop.join()
        shell.begin()
    assert len(count) == 2
    assert time.monotonic() - begun < speed.deadline(60)


def test_how_to_unpack_is_a_line_for_each_place(file, opened, tmp_path):
    end = opened.places[layout.PROJECT].end - 1
    curl, web = "curl -sSf --retry 99", "http://x/y.lab"

    def line(where, of):
        return source.how_to_unpack(replace(opened, where=where, source=of))

    assert line("a b.lab", source.File(file)) == "tar -xOf 'a b.lab' labkit.tar.gz | tar -xz"
    assert line("dir", source.Folder(tmp_path)) == "tar -xzf dir/labkit.tar.gz"
    tail = "| tar -xO labkit.tar.gz | tar -xz"
    assert line(web, source.Web(web)) == f"{curl} -r 0-{end} {web} {tail}"
    code = "-H 'Authorization: Bearer c0de'"
    assert line(web, source.Web(web, "c0de")) == f"{curl} {code} -r 0-{end} {web} {tail}"
    folder = "http://x/y/"
    assert line(folder, source.Web(folder)) == f"{curl} {folder}labkit.tar.gz | tar -xz"
