"""The listing's memory: what is believed unread, what is read again, and that nothing stays stale."""

import io
import os
import time

import polars as pl
import pytest

from assay.sources.files import Entry, LocalSource
from assay.sources.listing import MANY, Known, _believed
from assay.store.digests import read_trailed

FOLDER = {"kind": "folder", "path": "."}
DAY = 86_400.0


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The uris that are opened from now on."""
    uris: list[str] = []
    real = LocalSource.open
    monkeypatch.setattr(LocalSource, "open", lambda self, uri: uris.append(uri) or real(self, uri))
    return uris


@pytest.fixture
def clock(monkeypatch):
    """`clock(days)`: how far the clock of the listing is ahead."""
    now = time.time()
    ahead = [0.0]
    monkeypatch.setattr("assay.sources.listing.time.time", lambda: now + ahead[0])
    return lambda days: ahead.__setitem__(0, days * DAY)


def put_in_place(path, text: str, at: float = 1_700_000_000.0) -> None:
    """A file written aside and renamed, with a fixed modification time, as deployments do."""
    aside = path.with_name(f".{path.name}.aside")
    aside.write_text(text)
    os.utime(aside, (at, at))
    os.replace(aside, path)


@pytest.mark.parametrize("how", ["renamed", "in place"])
def test_the_same_size_and_time_are_no_proof(run, data, how):
    """A corrected table of the same bytes and the same modification time is read; the kernel's own time tells."""
    path = data / "t.csv"
    put_in_place(path, "text,label\none,cat\n")
    first = run({"kind": "table", "path": "t.csv"}, "text")
    time.sleep(0.02)  # the kernel's clock has ticks
    if how == "renamed":
        put_in_place(path, "text,label\none,dog\n")
    else:
        path.write_text("text,label\none,dog\n")
        os.utime(path, (1_700_000_000.0, 1_700_000_000.0))
    second = run({"kind": "table", "path": "t.csv"}, "text")
    assert [output.read("ingested")["label"].to_list() for output in (first, second)] == [["cat"], ["dog"]]


def test_a_picture_replaced_under_its_name_is_read_again(run, data, opened):
    """And no other."""
    for name in ("a", "b"):
        put_in_place(data / f"{name}.png", name)
    before = run(FOLDER, "image").read("ingested")["content_hash"]
    time.sleep(0.02)
    put_in_place(data / "a.png", "A")
    opened.clear()
    after = run(FOLDER, "image").read("ingested")["content_hash"]
    assert opened == ["a.png"] and after[0] != before[0] and after[1] == before[1]


def test_nothing_is_believed_for_longer_than_the_spec_says(run, data, opened, clock):
    """Each night reads its share of what was read longest ago; after `reread_days` nights every file was read."""
    for number in range(20):
        (data / f"{number:02d}.png").write_text(str(number))
    source = {**FOLDER, "reread_days": 5}
    run(source, "image")
    nights = []
    for night in range(1, 6):
        clock(night)
        opened.clear()
        run(source, "image")
        nights.append(list(opened))
    assert [len(night) for night in nights] == [4] * 5
    assert sorted(uri for night in nights for uri in night) == [f"{number:02d}.png" for number in range(20)]


def test_a_second_run_of_the_same_night_reads_nothing(run, data, opened, clock):
    """The share is of the time that has passed, not of the runs; 0 days: never."""
    for number in range(20):
        (data / f"{number}.png").write_text(str(number))
    run({**FOLDER, "reread_days": 5}, "image")
    opened.clear()
    run({**FOLDER, "reread_days": 5}, "image")
    clock(100)
    run({**FOLDER, "reread_days": 0}, "image")
    assert opened == []


def test_few_files_are_read_when_their_time_is_up(run, data, opened, clock):
    """A share of less than a file is none; the limit holds all the same."""
    (data / "t.csv").write_text("text\none\n")
    source = {"kind": "table", "path": "t.csv", "reread_days": 30}
    for days, reads in ((0, True), (1, False), (29, False), (31, True), (32, False)):
        clock(days)
        opened.clear()
        run(source, "text")
        assert ("t.csv" in opened) is reads, days


def test_what_is_stale_is_mended_by_the_rotation(run, data, clock, monkeypatch):
    """Where neither time nor inode tells, the share that is read again does."""
    real = os.stat
    frozen = real(data)

    def lying(path, *arguments, **keywords):
        found = real(path, *arguments, **keywords)
        if not str(path).endswith(".png"):
            return found
        values = list(found)
        values[1] = frozen.st_ino
        return os.stat_result(values, {"st_mtime_ns": 1, "st_ctime_ns": 1})

    monkeypatch.setattr("assay.sources.files.os.stat", lying)
    monkeypatch.setattr("assay.sources.files.os.fstat", lambda descriptor: lying(f"/proc/self/fd/{descriptor}"))
    (data / "a.png").write_text("old")
    before = run({**FOLDER, "reread_days": 3}, "image").read("ingested")["content_hash"]
    (data / "a.png").write_text("new")
    assert run({**FOLDER, "reread_days": 3}, "image").read("ingested")["content_hash"].equals(before)
    clock(3.1)
    assert not run({**FOLDER, "reread_days": 3}, "image").read("ingested")["content_hash"].equals(before)


@pytest.mark.parametrize(("n", "n_moved", "n_read"), [(10, 1, 1), (10, 10, 10), (1000, 400, 400), (1000, 900, 0)])
def test_inodes_that_a_file_system_deals_anew_are_no_change(n, n_moved, n_read):
    """Where most of many files have another inode and nothing else is different, it was mounted again."""
    assert MANY < 400
    entries = [Entry(f"{i}", 5, 7, ctime_ns=9, inode=i + 1_000_000 * (i < n_moved)) for i in range(n)]
    known = {f"{i}": Known(5, 7, 9, i, "h", 1.0) for i in range(n)}
    assert sum(at is None for at in _believed(entries, known, 0)) == n_read


def test_a_cache_of_another_version_is_read_anew(run, data, opened):
    """It is only a cache."""
    (data / "a.png").write_text("x")
    run(FOLDER, "image")
    (place,) = data.parent.glob("home/d/facts/files/*.parquet")
    pl.read_parquet(io.BytesIO(read_trailed(place))).drop("ctime_ns").write_parquet(place)
    opened.clear()
    run(FOLDER, "image")
    assert opened == ["a.png"]
