"""Measured videos → rows of `video_facts`, and what could not be measured."""

import functools
from collections.abc import Iterator, Sequence

import polars as pl

from assay.contracts.tables import empty
from assay.modalities.image.facts import Unmeasured
from assay.modalities.video.decode import Limits
from assay.modalities.video.facts import MeasuredVideo, measure_contents
from assay.sources.files import Source
from assay.store.executor import in_batches

Content = tuple[str, Sequence[str]]  # its hash, and the uris that hold it


def video_facts(
    source: Source, chunks: Sequence[Sequence[Content]], limits: Limits
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Decode and measure many contents, chunk by chunk, always in worker processes: a decoder that dies costs one.

    Yields:
        `(facts, failures, unread)` of each chunk, in its order: rows of `video_facts`; of `failures` for what is no
        readable video; of `failures` for what could not be read this time.
    """
    one_batch = functools.partial(measure_contents, source, limits)
    contents = [content for chunk in chunks for content in chunk]
    results = in_batches(one_batch, contents, 1, _crashed, worth=1, here=False)
    for chunk in chunks:
        found = [(content_hash, next(results)) for content_hash, _ in chunk]
        yield _rows(found), _failures(found, lasting=True), _failures(found, lasting=False)


def _crashed(_: Content) -> Unmeasured:
    return Unmeasured("decoder_crashed", "the process that decodes it dies of it", lasting=False)


def _rows(found: list[tuple[str, MeasuredVideo | Unmeasured]]) -> pl.DataFrame:
    rows = [{"content_hash": name, **one.values} for name, one in found if isinstance(one, MeasuredVideo)]
    schema = empty("video_facts").schema
    return pl.DataFrame(rows, schema_overrides=schema).select(list(schema)) if rows else empty("video_facts")


def _failures(found: list[tuple[str, MeasuredVideo | Unmeasured]], lasting: bool) -> pl.DataFrame:
    rows = [(name, r.reason, r.detail) for name, r in found if isinstance(r, Unmeasured) and r.lasting == lasting]
    return pl.DataFrame(rows, schema=empty("failures").schema, orient="row")
