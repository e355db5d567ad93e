"""Measured sounds → rows of `audio_facts`, and what could not be measured."""

import functools
from collections.abc import Iterator, Sequence

import polars as pl

from assay.contracts.tables import empty
from assay.modalities.audio.facts import MeasuredSound, measure_contents
from assay.modalities.contents import Content, Unmeasured
from assay.modalities.measuring import Chunk, measured
from assay.sources.files import Source

BATCH = 16  # contents that a worker measures at a time


def audio_facts(source: Source, chunks: Sequence[Sequence[Content]], max_seconds: float) -> Iterator[Chunk]:
    """Decode and measure many contents, chunk by chunk, in worker processes.

    Returns:
        `(facts, failures, unread)` of each chunk, in its order: rows of `audio_facts`; of `failures` for what is no
        readable sound; of `failures` for what could not be read this time.
    """
    one_batch = functools.partial(measure_contents, source, max_seconds)
    return measured(one_batch, chunks, _rows, BATCH)


def _rows(found: list[tuple[str, MeasuredSound | Unmeasured]]) -> pl.DataFrame:
    rows = [{"content_hash": name, **one.values} for name, one in found if isinstance(one, MeasuredSound)]
    schema = empty("audio_facts").schema
    return pl.DataFrame(rows, schema_overrides=schema).select(list(schema)) if rows else empty("audio_facts")
