"""Which files there are and what each holds, without reading again what has not changed.

A listing is a frame of one row per file: `uri`, `size_bytes`, `mtime_ns`, `content_hash` (null where it cannot be
read), `reason`, `detail`. HOME/DATASET/facts/files/ROOT.parquet remembers the listing of each root: a file whose uri,
size, times and inode are as they were is not opened. The time of change (ctime) is the kernel's own: a file that is
put in place with an old modification time has a new one. Where even that is no guide (a clock set back, a file system
that keeps none), the files that were read longest ago are read again, a share each day, so that none is believed for
more than `source.reread_days`.
"""

import io
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from assay.contracts.errors import SourceError, UnreadableSample
from assay.sources.files import Entry, LocalSource, Source
from assay.store.digests import read_trailed, write_trailed
from assay.store.files import hash_text
from assay.store.progress import Progress
from assay.store.workspace import Workspace

SCHEMA = {
    "uri": pl.String,
    "size_bytes": pl.Int64,
    "mtime_ns": pl.Int64,
    "content_hash": pl.String,
    "reason": pl.String,
    "detail": pl.String,
}
CACHED = {name: SCHEMA[name] for name in ("uri", "size_bytes", "mtime_ns", "content_hash")} | {
    "ctime_ns": pl.Int64, "inode": pl.Int64, "read_at": pl.Float64,
}  # fmt: skip
DAY = 86_400.0  # seconds
MANY = 100  # files; where so many have other inodes and nothing else has changed, the file system deals them anew
THREADS = 8
BLOCK = 20_000  # files read between two saves of the cache


def list_files(
    workspace: Workspace, source: Source, entries: Iterable[Entry], label: str, reread_days: int = 0
) -> pl.DataFrame:
    """The listing of `entries`, in their order; only new, changed and long believed files are read, each once, in
    threads.

    Raises:
        SourceError: a file changed while it was read.
    """
    place = cache_path(workspace, source, label)
    entries = list(entries)
    known = _load(place)
    read_at = _believed(entries, known, reread_days if isinstance(source, LocalSource) else 0)
    rows = [
        (*entry[:3], known[entry.uri].content_hash if at is not None else None, *_reason(entry))
        for entry, at in zip(entries, read_at, strict=True)
    ]
    wanted = [number for number, row in enumerate(rows) if row[3] is None and row[4] is None]
    progress = Progress(label, len(wanted))

    def read(number: int) -> None:
        rows[number] = _read(source, rows[number])
        read_at[number] = time.time()
        progress.advance()

    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(wanted), BLOCK):
            list(pool.map(read, wanted[start : start + BLOCK]))
            _save(place, rows, entries, read_at)
    if not wanted and len(known) != len(rows):
        _save(place, rows, entries, read_at)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _believed(entries: list[Entry], known: dict[str, "Known"], reread_days: int) -> list[float | None]:
    """When each file was last read, where what it held then is believed; None where it is to be read."""
    same = [known.get(entry.uri) for entry in entries]
    alike = [
        old is not None and old[:3] == (entry.size_bytes, entry.mtime_ns, entry.ctime_ns) and not entry.reason
        for entry, old in zip(entries, same, strict=True)
    ]
    other = [
        ok and old is not None and old.inode != entry.inode for ok, entry, old in zip(alike, entries, same, strict=True)
    ]
    if sum(other) <= max(MANY, sum(alike) // 2):
        alike = [ok and not moved for ok, moved in zip(alike, other, strict=True)]
    found = [old.read_at if ok and old else None for ok, old in zip(alike, same, strict=True)]
    if reread_days:
        for number in _due(found, reread_days):
            found[number] = None
    return found


def _due(read_at: list[float | None], days: int) -> list[int]:
    """Which files to read again: those read more than `days` ago, and of the rest the share of the time that has
    passed since anything was read, the longest believed first."""
    believed = sorted((at, number) for number, at in enumerate(read_at) if at is not None)
    if not believed:
        return []
    now = time.time()
    passed = max(now - believed[-1][0], 0.0) / DAY
    share = int(len(believed) * min(passed / days, 1.0))
    return [number for place, (at, number) in enumerate(believed) if place < share or now - at > days * DAY]


def cache_path(workspace: Workspace, source: Source, label: str) -> Path:
    """Where one listing of one root is remembered."""
    return workspace.facts / "files" / f"{hash_text(source.root + chr(0) + label)}.parquet"


def stat_all(source: Source, uris: Sequence[str]) -> list[Entry]:
    """An entry for each uri, with the reason where it cannot be looked at."""

    def look(uri: str) -> Entry:
        try:
            return source.stat(uri)
        except UnreadableSample as refusal:
            return Entry(uri, 0, -1, refusal.reason, refusal.detail)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(look, uris))


def refuse_change(source: Source, entry: Entry) -> None:
    """Raises `SourceError` where a file is no longer as `entry` found it: somebody is still writing the source."""
    if not isinstance(source, LocalSource):
        return
    now = source.stat(entry.uri)
    if (now.size_bytes, now.mtime_ns) != (entry.size_bytes, entry.mtime_ns):
        raise SourceError(
            f"{entry.uri} changed while it was read ({entry.size_bytes:,} bytes, now {now.size_bytes:,}): the source "
            "is still being written. Run again when it is complete, or name a `source.ready_file` that is written last"
        )


def _reason(entry: Entry) -> tuple[str | None, str | None]:
    if entry.size_bytes == 0 and not entry.reason:
        return "empty_file", "0 bytes"
    return entry.reason or None, entry.detail or None


def _read(source: Source, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """One row of a listing with its content hash or its reason."""
    uri, size, stamp = row[:3]
    try:
        content_hash, n_bytes = source.digest(uri)
        refuse_change(source, Entry(uri, size, stamp))
    except UnreadableSample as refusal:
        return uri, size, stamp, None, refusal.reason, refusal.detail
    return uri, (n_bytes if size < 0 else size), stamp, content_hash, None, None


class Known(NamedTuple):
    """What is remembered of one file."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    content_hash: str
    read_at: float  # seconds since 1970


def _load(place: Path) -> dict[str, Known]:
    """What is remembered by uri; empty where there is no cache or it cannot be read."""
    try:
        frame = pl.read_parquet(io.BytesIO(read_trailed(place)), columns=list(CACHED))
    except Exception:  # absent or damaged: a cache is only a cache
        return {}
    return {row[0]: Known(*row[1:]) for row in frame.select("uri", *Known._fields).iter_rows()}


def _save(place: Path, rows: list[tuple[Any, ...]], entries: list[Entry], read_at: list[float | None]) -> None:
    kept = [
        (*row[:4], entry.ctime_ns, entry.inode, at)
        for row, entry, at in zip(rows, entries, read_at, strict=True)
        if row[3] is not None and row[2] != -1
    ]
    frame = pl.DataFrame(kept, schema=CACHED, orient="row")
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    write_trailed(place, buffer.getvalue())
