"""Measured boxes → rows of `object_facts`, and what could not be measured."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from assay.contracts.tables import empty
from assay.modalities.contents import Content, Unmeasured
from assay.modalities.image.cleaning import rows_of
from assay.modalities.measuring import Chunk, crashed, failures
from assay.modalities.objects.facts import Boxed, MeasuredBox, measure_pictures
from assay.sources.files import Source
from assay.sources.fragments import parted
from assay.store.executor import in_batches

BATCH = 8  # pictures that a worker measures at a time
MOST_BOXES = 200  # of one picture in one piece of work


def object_facts(
    source: Source,
    chunks: Sequence[Sequence[Content]],
    *,
    max_pixels: int,
    thumbnail_pixels: int,
) -> Iterator[Chunk]:
    """Decode and measure many boxes in worker processes, chunk by chunk, each picture of a chunk once.

    Args:
        chunks: `(content_hash, uris)` of boxes; those of one picture are best together.

    Yields:
        `(facts, failures, unread)` of each chunk, in its order: rows of `object_facts`; of `failures` for what is no
        picture, or outside of it; of `failures` for what could not be read this time.
    """
    work = [by_picture(chunk) for chunk in chunks]
    one_batch = functools.partial(measure_pictures, source, max_pixels, thumbnail_pixels)
    results = in_batches(one_batch, [picture for pictures in work for picture in pictures], BATCH, _crashed)
    for pictures in work:
        found = [
            (content_hash, result)
            for picture in pictures
            for (content_hash, _), result in zip(picture.parts, next(results), strict=True)
        ]
        yield _rows(found), failures(found, lasting=True), failures(found, lasting=False)


def by_picture(chunk: Sequence[Content]) -> list[Boxed]:
    """The contents of a chunk by the picture that is first to hold each."""
    pictures: dict[str, list[tuple[str, str]]] = {}
    for content_hash, uris in chunk:
        file, fragment = parted(uris[0])
        pictures.setdefault(file, []).append((content_hash, fragment))
    return [
        Boxed(file, tuple(parts[start : start + MOST_BOXES]))
        for file, parts in pictures.items()
        for start in range(0, len(parts), MOST_BOXES)
    ]


def _crashed(picture: Boxed) -> list[MeasuredBox | Unmeasured]:
    return [crashed("its picture")] * len(picture.parts)


def _rows(found: list[tuple[str, MeasuredBox | Unmeasured]]) -> pl.DataFrame:
    measured = [(name, one) for name, one in found if isinstance(one, MeasuredBox)]
    if not measured:
        return empty("object_facts")
    schema = empty("object_facts").schema
    looks = rows_of([name for name, _ in measured], [one.crop for _, one in measured])
    where: dict[str, Any] = {
        "image_hash": [one.file_hash for _, one in measured],
        "image_width": [one.size[0] for _, one in measured],
        "image_height": [one.size[1] for _, one in measured],
        "x": [one.region.x for _, one in measured],
        "y": [one.region.y for _, one in measured],
        "box_width": [one.region.width for _, one in measured],
        "box_height": [one.region.height for _, one in measured],
        "outside": [one.outside for _, one in measured],
    }
    return looks.with_columns(pl.Series(name, values, dtype=schema[name]) for name, values in where.items()).select(
        list(schema)
    )
