"""Pairs of a picture and a caption: pictures as images are, and captions judged by their pictures."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.errors import SourceError
from assay.contracts.modality import Defect, Example, Face
from assay.contracts.spec import Spec
from assay.modalities.image.modality import IMAGE
from assay.modalities.image.modality import measure as measure_images
from assay.store.tables import TableReader


def measure(
    spec: Spec, tables: TableReader, samples: pl.DataFrame, chunks: list[list[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Facts of each chunk of pictures. Raises `SourceError` where the source has no captions."""
    if "text" not in samples.columns:
        raise SourceError(
            'pairs need a table with a column `text` beside `uri`: source.kind = "table", and where the captions have '
            'another name source.columns = { text = "…" }'
        )
    yield from measure_images(spec, tables, samples, chunks)


def captions(inputs: Any) -> pl.DataFrame:
    """What is said of the captions, as rows of `measures`; `inputs` is an `assay.metrics.inputs.Inputs`."""
    from assay.modalities.pairs.captions import caption_measures

    corpus = inputs.corpus
    return caption_measures(inputs.spec, corpus.samples, corpus.unit.astype(np.int64), corpus.vectors)


def example(folder: Path, seed: int) -> pl.DataFrame:
    """Writes captioned digits with some captions swapped."""
    from assay.modalities.pairs.example import write_example

    return write_example(folder, seed)


assert IMAGE.facts is not None
PAIRS = replace(
    IMAGE,
    name="pairs",
    face=Face("captioned", "pairs", facts="image_facts", preview="thumbnail", caption="text"),
    facts=replace(IMAGE.facts, measure=measure),
    defects={"swapped_caption": Defect("source", "wrong_caption")},
    example=Example(
        "captioned-digits",
        "handwritten digits with captions",
        write=example,
        spec='[source]\nkind = "table"\npath = "captioned-digits/captions.csv"\n',
    ),
    tower="image",
    measures=captions,
)
