"""Parquet is read in a process of its own: what kills a reader costs one file."""

import io
import json
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.contracts.errors import SourceError
from assay.sources import worker
from assay.sources.batches import Rules
from assay.sources.parquet_reader import read_parquet
from assay.sources.worker import read_in_worker

DIES = "import os, sys; sys.stdin.buffer.read(8); os.abort()"
SLEEPS = "import time; time.sleep(60)"
SMALL = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); import assay.sources.worker as w; "
    "w.MEMORY_BYTES = 300 * 2**20; w.work()"
)


@pytest.fixture(autouse=True)
def fresh():
    """Each test starts its own workers, and leaves none."""
    _end_all()
    yield
    _end_all()


def _end_all():
    while worker._idle:
        found = worker._idle.pop()
        found.is_between_files = False
        found.rest()


def parquet(table: pa.Table, **options) -> io.BytesIO:
    """A file with that table."""
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file


INVALID = pa.Array.from_buffers(pa.string(), 3, pa.array([b"good", b"b\xff", b"fine"], pa.binary()).buffers())
CLASSES = json.dumps({"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}})
LISTS = json.dumps(
    {
        "info": {
            "features": {"label": {"feature": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "_type": "Sequence"}}
        }
    }
)
TABLES = {
    "kinds": pa.table(
        {"n": [1, None, 3], "t": ["a", None, "ü"], "l": [[1.0], [], None], "s": [{"a": 1}, None, {"a": 2}]}
    ),
    "groups": pa.table({"text": [f"row {n % 7}" for n in range(30_000)], "n": range(30_000)}),
    "all different": pa.table({"text": [f"{n} of many" for n in range(30_000)], "none": [None] * 30_000}),
    "no rows": pa.table({"text": pa.array([], pa.string())}),
    "bad text": pa.table({"text": INVALID}),
    "lists of class names": pa.table({"label": [[0, 1], [], [7, 0], None]}).replace_schema_metadata(
        {"huggingface": LISTS}
    ),
    "class names": pa.table({"label": [0, 1, -1]}).replace_schema_metadata({"huggingface": CLASSES}),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_worker_reads_what_the_reader_reads(name):
    """The same batches, said lines and columns, bit for bit; one worker for all files."""
    file = parquet(TABLES[name], row_group_size=9_000)
    plain = list(read_parquet(file, name, Rules()))
    read = list(read_in_worker(file, name, Rules()))
    assert [(batch.rows, batch.said) for batch in read] == [(batch.rows, batch.said) for batch in plain]
    for one, two in zip(read, plain, strict=True):
        assert list(one.columns) == list(two.columns)
        assert [isinstance(column, list) for column in one.columns.values()] == [
            isinstance(column, list) for column in two.columns.values()
        ]
        assert all(_plain(one.columns[key]).equals(_plain(two.columns[key])) for key in one.columns)
    (kept,) = worker._idle
    assert len(list(read_in_worker(file, name, Rules()))) == len(plain) and worker._idle == [kept]


def _plain(column):
    """Without a dictionary; text as the bytes that it is."""
    if isinstance(column, list):
        return pa.array(map(repr, column))
    column = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
    return column.cast(pa.binary()) if pa.types.is_string(column.type) else column


def test_a_file_that_kills_its_reader_costs_that_file(monkeypatch):
    """SIGABRT in the worker: one message, and the next file is read."""
    plain = worker.CODE
    monkeypatch.setattr(worker, "CODE", DIES)
    with pytest.raises(SourceError, match=r"hostile.parquet cannot be read: the process .* status -6"):
        list(read_in_worker(parquet(TABLES["kinds"]), "hostile.parquet", Rules()))
    monkeypatch.setattr(worker, "CODE", plain)
    assert [len(b.rows) for b in read_in_worker(parquet(TABLES["kinds"]), "good.parquet", Rules())] == [3]


def test_a_reader_that_falls_silent_is_ended(monkeypatch):
    """An endless loop is no endless night."""
    monkeypatch.setattr(worker, "CODE", SLEEPS)
    monkeypatch.setattr(worker, "SECONDS", 0.5)
    begin = time.monotonic()
    with pytest.raises(SourceError, match="said nothing"):
        list(read_in_worker(parquet(TABLES["kinds"]), "slow.parquet", Rules()))
    assert time.monotonic() - begin < 20


def test_memory_is_bounded(monkeypatch):
    """A cell of 600 MB in a file below 1 MB: refused by the worker's limit, before this process holds any of it."""
    big = parquet(pa.table({"text": pa.array(["x" * 600_000_000], pa.large_string())}), compression="zstd")
    assert len(big.getvalue()) < 1_000_000
    monkeypatch.setattr(worker, "CODE", SMALL)
    with pytest.raises(SourceError, match="bomb.parquet"):
        list(read_in_worker(big, "bomb.parquet", Rules()))


def test_a_file_that_is_left_in_the_middle_leaves_no_process():
    """Whoever wanted only the columns: the worker ends, and the next file gets another."""
    batches = read_in_worker(parquet(TABLES["groups"]), "t.parquet", Rules())
    next(batches)
    batches.close()
    assert worker._idle == []
    assert sum(len(b.rows) for b in read_in_worker(parquet(TABLES["groups"]), "t.parquet", Rules())) == 30_000


def test_a_source_that_fails_is_no_dead_worker():
    """A disk or network that gives an error is told as that, at once."""

    class Failing(io.BytesIO):
        def read(self, count=-1):
            raise OSError("the disk is gone")

    with pytest.raises(SourceError, match="the disk is gone"):
        list(read_in_worker(Failing(parquet(TABLES["kinds"]).getvalue()), "t.parquet", Rules()))


def test_bytes_of_every_sort_are_one_message():
    """Cut, flipped and made-up files: an answer or a `SourceError`, and the same worker goes on."""
    good = parquet(TABLES["groups"], row_group_size=9_000).getvalue()
    tries = [
        b"",
        b"PAR1",
        b"PAR1" * 3,
        good[:-1],
        good[: len(good) // 2],
        b"\0" * 1000,
        good[:-8] + b"\xff" * 4 + good[-4:],
    ]
    tries += [good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :] for at in range(4, len(good), len(good) // 25)]
    for data in tries:
        try:
            list(read_in_worker(io.BytesIO(data), "t.parquet", Rules()))
        except SourceError as error:
            assert "t.parquet" in str(error)


def test_it_starts_without_polars():
    """Every night on Parquet waits for a worker, and Arrow alone loads in half the time."""
    readers = "assay.sources.worker, assay.sources.arrow_reader, assay.sources.parquet_reader"
    code = f"import sys, {readers}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pyarrow" in loaded and not {"polars", "pydantic", "torch"} & set(loaded)
