"""Measured sounds → rows of `audio_facts`, and what could not be measured."""

import functools
from collections.abc import Iterator, Sequence

import polars as pl

from assay.contracts.tables import empty
from assay.modalities.audio.facts import MeasuredSound, measure_contents
from assay.modalities.image.facts import Unmeasured
from assay.sources.files import Source
from assay.store.executor import in_batches

Content = tuple[str, Sequence[str]]  # its hash, and the uris that hold it
BATCH = 16  # contents that a worker measures at a time


def audio_facts(
    source: Source, chunks: Sequence[Sequence[Content]], max_seconds: float
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Decode and measure many contents, chunk by chunk, always in worker processes: a decoder that dies costs one.

    Yields:
        `(facts, failures, unread)` of each chunk, in its order: rows of `audio_facts`; of `failures` for what is no
        readable sound; of `failures` for what could not be read this time.
    """
    one_batch = functools.partial(measure_contents, source, max_seconds)
    contents = [content for chunk in chunks for content in chunk]
    results = in_batches(one_batch, contents, BATCH, _crashed, here=False)
    for chunk in chunks:
        found = [(content_hash, next(results)) for content_hash, _ in chunk]
        yield _rows(found), _failures(found, lasting=True), _failures(found, lasting=False)


def _crashed(_: Content) -> Unmeasured:
    return Unmeasured("decoder_crashed", "the process that decodes it dies of it", lasting=False)


def _rows(found: list[tuple[str, MeasuredSound | Unmeasured]]) -> pl.DataFrame:
    rows = [{"content_hash": name, **one.values} for name, one in found if isinstance(one, MeasuredSound)]
    schema = empty("audio_facts").schema
    return pl.DataFrame(rows, schema_overrides=schema).select(list(schema)) if rows else empty("audio_facts")


def _failures(found: list[tuple[str, MeasuredSound | Unmeasured]], lasting: bool) -> pl.DataFrame:
    rows = [(name, r.reason, r.detail) for name, r in found if isinstance(r, Unmeasured) and r.lasting == lasting]
    return pl.DataFrame(rows, schema=empty("failures").schema, orient="row")
