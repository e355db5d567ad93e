"""Measured videos → rows of `video_facts`, and what could not be measured."""

import functools
from collections.abc import Iterator, Sequence

import polars as pl

from assay.contracts.tables import empty
from assay.modalities.contents import Content, Unmeasured
from assay.modalities.measuring import Chunk, measured
from assay.modalities.video.decode import Limits
from assay.modalities.video.facts import MeasuredVideo, measure_contents
from assay.sources.files import Source


def video_facts(source: Source, chunks: Sequence[Sequence[Content]], limits: Limits) -> Iterator[Chunk]:
    """Decode and measure many contents, in worker processes, chunk by chunk.

    Returns:
        `(facts, failures, unread)` of each chunk, in its order: rows of `video_facts`; of `failures` for what is no
        readable video; of `failures` for what could not be read this time.
    """
    one_batch = functools.partial(measure_contents, source, limits)
    return measured(one_batch, chunks, _rows, size=1, worth=1)


def _rows(found: list[tuple[str, MeasuredVideo | Unmeasured]]) -> pl.DataFrame:
    rows = [{"content_hash": name, **one.values} for name, one in found if isinstance(one, MeasuredVideo)]
    schema = empty("video_facts").schema
    return pl.DataFrame(rows, schema_overrides=schema).select(list(schema)) if rows else empty("video_facts")
