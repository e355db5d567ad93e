"""Which files there are and what each holds, without reading again what has not changed.

A listing is a frame of one row per file: `uri`, `size_bytes`, `mtime_ns`, `content_hash` (null where it cannot be
read), `reason`, `detail`. HOME/DATASET/facts/files/ROOT.parquet remembers the listing of each root: a file whose uri,
size and modification time are as they were is not opened.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from assay.contracts.errors import SourceError, UnreadableSample
from assay.sources.files import Entry, LocalSource, Source
from assay.store.stage import Progress, Workspace, atomic_file, hash_text

SCHEMA = {
    "uri": pl.String,
    "size_bytes": pl.Int64,
    "mtime_ns": pl.Int64,
    "content_hash": pl.String,
    "reason": pl.String,
    "detail": pl.String,
}
CACHED = ["uri", "size_bytes", "mtime_ns", "content_hash"]
THREADS = 8
BLOCK = 20_000  # files read between two saves of the cache


def list_files(workspace: Workspace, source: Source, entries: Iterable[Entry], label: str) -> pl.DataFrame:
    """The listing of `entries`, in their order; only new and changed files are read, each once, in threads.

    Raises:
        SourceError: a file changed while it was read.
    """
    place = cache_path(workspace, source, label)
    known = _load(place)
    rows = [(*entry[:3], known.get(entry[:3]), *_reason(entry)) for entry in entries]
    wanted = [number for number, row in enumerate(rows) if row[3] is None and row[4] is None]
    progress = Progress(label, len(wanted))

    def read(number: int) -> None:
        rows[number] = _read(source, rows[number])
        progress.advance()

    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(wanted), BLOCK):
            list(pool.map(read, wanted[start : start + BLOCK]))
            _save(place, rows)
    if not wanted and len(known) != len(rows):
        _save(place, rows)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


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


def _read(source: Source, row: tuple) -> tuple:
    """One row of a listing with its content hash or its reason."""
    uri, size, stamp = row[:3]
    try:
        content_hash, n_bytes = source.digest(uri)
        refuse_change(source, Entry(uri, size, stamp))
    except UnreadableSample as refusal:
        return uri, size, stamp, None, refusal.reason, refusal.detail
    return uri, (n_bytes if size < 0 else size), stamp, content_hash, None, None


def _load(place: Path) -> dict[tuple[str, int, int], str]:
    """(uri, size, modification time) → content hash; empty where there is no cache or it cannot be read."""
    try:
        frame = pl.read_parquet(place, columns=CACHED)
    except Exception:  # absent or damaged: a cache is only a cache
        return {}
    return {(uri, size, stamp): content_hash for uri, size, stamp, content_hash in frame.iter_rows()}


def _save(place: Path, rows: list[tuple]) -> None:
    kept = [row[:4] for row in rows if row[3] is not None and row[2] != -1]
    frame = pl.DataFrame(kept, schema={name: SCHEMA[name] for name in CACHED}, orient="row")
    with atomic_file(place) as aside:
        frame.write_parquet(aside)
