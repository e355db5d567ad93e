"""Missing contents → vectors in the facts: reading, decoding, forward pass and writing, all at once.

A pool of workers prepares batches. On a CPU each worker also runs the forward pass of its batch, on its own share of
the cores; on a GPU one thread launches the batches in order and collects each while the next are on their way. JPEGs
that a GPU decodes are read by processes and decoded by a thread (`jpegs.py`). Batches have one shape and chunks of
`CHUNK` contents become one fact part each, written by another thread as soon as they are done.
"""

import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl

from assay.contracts.errors import UnreadableSample
from assay.contracts.tables import empty
from assay.embedders.base import Check, Collect, Embedder, cpu_workers, refused_rows
from assay.health.embedding import Refusals
from assay.sources.files import Source
from assay.store.digests import read_sealed, write_sealed
from assay.store.executor import in_order
from assay.store.facts import FactStore
from assay.store.files import hash_text, write_json
from assay.store.machine import cores, one_blas_thread
from assay.store.progress import Progress
from assay.store.vectors import vectors_frame

CHUNK = 2_048  # contents in one part
CHECKS = "checks.json"  # beside the vectors
_IN_FLIGHT = 2  # batches on a GPU at once


class Read(Protocol):
    """Raw content of a content hash; raises `UnreadableSample`."""

    def __call__(self, content_hash: str, /) -> Any: ...


@dataclass(frozen=True)
class Files:
    """A `Read` of contents that are files, or parts of files.

    Attributes:
        places: content hash → the uris that hold it.
        read: `(uris, content_hash)` → bytes, checked against the hash.
        source: where the files are, if each content is a file of its own; else None.
    """

    places: Mapping[str, Sequence[str]]
    read: Callable[[Sequence[str], str], bytes]
    source: Source | None

    def __call__(self, content_hash: str, /) -> bytes:
        return self.read(self.places[content_hash], content_hash)


@dataclass(frozen=True)
class Batch:
    """Contents of one chunk on their way through."""

    chunk: int
    hashes: list[str]
    refused: dict[str, tuple[str, str]]
    cut: dict[str, tuple[int, int]]
    collect: Collect | None  # None where all were refused


@one_blas_thread()  # the same vectors on machines of any size
def embed_contents(
    embedder: Embedder,
    chunks: Sequence[Sequence[str]],
    read: Read,
    ready: dict[str, Any],
    store: FactStore,
    storage: str,
    label: str,
) -> Refusals:
    """Load the embedder, and put vectors of each chunk's contents into one part of `store`. What was stored before a
    kill or an error stays.

    Args:
        read: raw content of a content hash; raises `UnreadableSample`.
        ready: prepared items by content hash, of contents that need not be read.
    """
    n = sum(map(len, chunks))
    workers = embedder.start_reading(n) if embedder.decodes and isinstance(read, Files) and read.source else None
    embedder.load()
    if workers is not None and not embedder.decodes:
        workers.shutdown(wait=False, kill_workers=True)
    refusals, progress = Refusals(), Progress(label, n)
    batches = _encoded(embedder, chunks, read, ready, workers)
    writing: Future[None] | None = None
    with ThreadPoolExecutor(1, "write") as writer:
        for _, chunk in itertools.groupby(batches, key=lambda batch: batch.chunk):
            names: list[str] = []
            rows, cut = [], {}
            for batch in chunk:
                cut.update(batch.cut)
                refusals.reasons.update(batch.refused)
                progress.advance(len(batch.hashes) + len(batch.refused))
                if batch.collect is not None:
                    names.extend(batch.hashes)
                    rows.append(batch.collect())
            if writing is not None:
                writing.result()
            writing = writer.submit(_write, store, names, rows, cut, storage, refusals)
        if writing is not None:
            writing.result()
    path = store.folder / CHECKS
    if not path.exists() and (checks := embedder.checks()):
        write_sealed(path, {"checks": checks})
    return refusals


def own_checks(store: FactStore) -> list[Check]:
    """What the embedder found out about its vectors when it made the first of them."""
    try:
        return [tuple(row) for row in read_sealed(store.folder / CHECKS)["checks"]]
    except (OSError, ValueError, KeyError):
        return []


def _write(
    store: FactStore,
    names: list[str],
    rows: list[np.ndarray],
    cut: dict[str, tuple[int, int]],
    storage: str,
    refusals: Refusals,
) -> None:
    if cut:  # before the vectors: what has one has been counted
        cut_store(store).append(_cut_frame(cut))
    if rows:
        _store(store, names, np.concatenate(rows), storage, refusals)


def cut_store(store: FactStore) -> FactStore:
    """The facts on what the embedder of `store` did not read whole."""
    return FactStore(store.workspace, "cut_contents", store.fingerprint)


def _cut_frame(cut: dict[str, tuple[int, int]]) -> pl.DataFrame:
    rows = [(name, n_read, n_whole) for name, (n_read, n_whole) in cut.items()]
    return pl.DataFrame(rows, schema=empty("cut_contents").schema, orient="row")


def _store(store: FactStore, names: list[str], matrix: np.ndarray, storage: str, refusals: Refusals) -> None:
    """One part of unit vectors; what has no direction is refused."""
    unit, problems = checked_vectors(matrix)
    for row, reason in problems.items():
        refusals.reasons[names[row]] = reason
    good = [row for row in range(len(names)) if row not in problems]
    store.append(vectors_frame([names[row] for row in good], store.fingerprint, unit[good].astype(storage)))


def checked_vectors(matrix: np.ndarray) -> tuple[np.ndarray, dict[int, tuple[str, str]]]:
    """Rows of length 1, and the rows that cannot be: row → (reason, detail)."""
    wide = matrix.astype(np.float64)
    finite = np.asarray(np.isfinite(wide).all(axis=1))
    lengths = np.sqrt((np.where(finite[:, None], wide, 0.0) ** 2).sum(axis=1))
    problems = {int(row): ("vector_not_finite", "the vector holds NaN or infinity") for row in np.flatnonzero(~finite)}
    for row in np.flatnonzero(finite & (lengths == 0)):
        problems[int(row)] = ("vector_zero", "the vector has length 0, so it has no direction")
    return (wide / np.where(lengths > 0, lengths, 1.0)[:, None]).astype(np.float32), problems


def prepare_all(embedder: Embedder, hashes: Sequence[str], read: Read, label: str) -> dict[str, Any]:
    """Prepared items of `hashes` in their order, for fitting; those that cannot be read are left out."""
    progress = Progress(label, len(hashes))

    def prepare(part: Sequence[str]) -> dict[str, Any]:
        return _prepare(embedder, part, read, {})[0]

    parts = [hashes[start : start + 64] for start in range(0, len(hashes), 64)]
    found: dict[str, Any] = {}
    for part, prepared in zip(parts, _on_threads(embedder, prepare, parts), strict=True):
        found.update(prepared)
        progress.advance(len(part))
    return found


def _prepare(
    embedder: Embedder, hashes: Sequence[str], read: Read, ready: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Prepared items by content hash, and the refused ones."""
    prepared, refused = {}, {}
    for name in hashes:
        try:
            prepared[name] = ready[name] if name in ready else embedder.prepare(read(name))
        except UnreadableSample as error:
            refused[name] = (error.reason, error.detail)
    return prepared, refused


def _encoded(
    embedder: Embedder, chunks: Sequence[Sequence[str]], read: Read, ready: dict[str, Any], workers: Any = None
) -> Iterator[Batch]:
    """Batches in order, each with what collects its vectors."""

    def prepare(task: tuple[int, Sequence[str]]) -> tuple[Batch, Any]:
        chunk, names = task
        prepared, refused = _prepare(embedder, names, read, ready)
        batch = embedder.collate(list(prepared.values())) if prepared else None
        cut = {name: found for name, item in prepared.items() if (found := embedder.cut(item))}
        return Batch(chunk, list(prepared), refused, cut, None), batch

    def launch(done: tuple[Batch, Any]) -> Batch:
        batch, data = done
        return batch if data is None else _less_refused(batch, embedder.launch(data, len(batch.hashes)))

    size = embedder.batch_size
    tasks = (
        (number, chunk[start : start + size])
        for number, chunk in enumerate(chunks)
        for start in range(0, len(chunk), size)
    )
    if embedder.decodes and isinstance(read, Files) and read.source:
        places = [(name, read.places[name]) for chunk in chunks for name in chunk]
        pictures = embedder.read_pictures(read.source, places, workers)
        return _ahead((launch(done) for done in _on_one_thread(_decode(embedder, pictures), tasks)), _IN_FLIGHT)
    if embedder.one_driver:
        return _ahead((launch(done) for done in _on_threads(embedder, prepare, tasks)), _IN_FLIGHT)
    return _on_threads(embedder, lambda task: launch(prepare(task)), tasks)


def _decode(embedder: Embedder, pictures: Iterator[Any]) -> Callable[[tuple[int, Sequence[str]]], tuple[Batch, Any]]:
    """What takes the next pictures, and gives a batch on the device."""

    def decode(task: tuple[int, Sequence[str]]) -> tuple[Batch, Any]:
        chunk, names = task
        batch, rows, refused = embedder.decode(list(itertools.islice(pictures, len(names))))
        reasons = {names[row]: reason for row, reason in refused.items()}
        return Batch(chunk, [names[row] for row in rows], reasons, {}, None), batch if rows else None

    return decode


def _on_one_thread(function: Callable[..., Any], tasks: Iterable[Any]) -> Iterator[Any]:
    """`function` of each task, in order, on one thread that is a task or two ahead."""
    pool = ThreadPoolExecutor(1, "decode")
    try:
        yield from in_order(pool, function, tasks, 1)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _less_refused(batch: Batch, collect: Collect) -> Batch:
    """A launched batch, with those that turned out to have no vector among the refused."""
    late = refused_rows(collect)
    if not late:
        return replace(batch, collect=collect)
    kept = [row for row in range(len(batch.hashes)) if row not in late]
    return replace(
        batch,
        hashes=[batch.hashes[row] for row in kept],
        refused=batch.refused | {batch.hashes[row]: why for row, why in late.items()},
        cut={name: found for name, found in batch.cut.items() if name not in {batch.hashes[row] for row in late}},
        collect=(lambda: collect()[kept]) if kept else None,
    )


def _ahead(items: Iterable[Any], count: int) -> Iterator[Any]:
    """`items`, each handed on only when `count` more have been started."""
    waiting: deque[Any] = deque()
    for item in items:
        waiting.append(item)
        if len(waiting) > count:
            yield waiting.popleft()
    yield from waiting


def _on_threads(embedder: Embedder, function: Callable[..., Any], tasks: Iterable[Any]) -> Iterator[Any]:
    """`function` of each task on threads, in order."""
    workers = cores() if embedder.one_driver else cpu_workers()
    pool = ThreadPoolExecutor(workers, "embed", initializer=embedder.start_thread)
    try:
        yield from in_order(pool, function, tasks, workers + 2)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        embedder.finish()


def plan_chunks(store: FactStore, contents: pl.Series) -> list[list[str]]:
    """The contents to embed, in their order, in the chunks that a killed run takes up again.

    The plan is kept beside the facts until `forget_plan`: without it, a run killed after some contents had been
    refused would cut its chunks elsewhere than an undisturbed one.
    """
    path, key = store.folder / "plan.json", hash_text("\n".join(contents))
    missing = store.missing(contents).to_list()
    plan = _read_plan(path, key)
    if plan is None:
        plan = missing
        if len(missing) > CHUNK:
            write_json(path, {"contents": key, "missing": missing})
    open_ones = set(missing)
    chunks = [plan[start : start + CHUNK] for start in range(0, len(plan), CHUNK)]
    return [left for chunk in chunks if (left := [name for name in chunk if name in open_ones])]


def _read_plan(path: Path, key: str) -> list[str] | None:
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
        return plan["missing"] if plan["contents"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget_plan(store: FactStore) -> None:
    """All is embedded: the next night plans anew."""
    (store.folder / "plan.json").unlink(missing_ok=True)
