"""Contents measured in worker processes: rows of facts, and of failures with their reasons."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from assay.contracts.tables import empty
from assay.modalities.contents import Content, Unmeasured
from assay.store.executor import in_batches

Chunk = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
Found = Sequence[tuple[str, Any]]  # content hashes, each with what was measured or why it could not be


def measured(
    one_batch: Callable[[Sequence[Content]], list[Any]],
    chunks: Sequence[Sequence[Content]],
    rows: Callable[[Any], pl.DataFrame],
    size: int,
    worth: int | None = None,
) -> Iterator[Chunk]:
    """Measure contents, `size` at a time in a worker process (`assay.store.executor.in_batches`), chunk by chunk.

    Args:
        one_batch: measures contents, one result each: `Unmeasured` where it cannot.
        rows: the facts of what was found of a chunk.

    Yields:
        `(facts, failures, unread)` of each chunk, in its order: of `failures` what will fail again, of `unread` what
        could not be read this time.
    """
    results = in_batches(one_batch, [content for chunk in chunks for content in chunk], size, _crashed, worth)
    for chunk in chunks:
        found = [(content_hash, next(results)) for content_hash, _ in chunk]
        yield rows(found), failures(found, lasting=True), failures(found, lasting=False)


def failures(found: Found, lasting: bool) -> pl.DataFrame:
    """Rows of `failures`: of what will fail again, or of what could not be read this time."""
    rows = [(name, r.reason, r.detail) for name, r in found if isinstance(r, Unmeasured) and r.lasting == lasting]
    return pl.DataFrame(rows, schema=empty("failures").schema, orient="row")


def crashed(what: str = "it") -> Unmeasured:
    """Of a content whose decoder took its process with it; the next version of the decoder may not."""
    return Unmeasured("decoder_crashed", f"the process that decodes {what} dies of it", lasting=False)


def _crashed(_: Content) -> Unmeasured:
    return crashed()
