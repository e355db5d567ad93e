"""Pairs of a picture or a sound and a caption: treated as images and sounds are, and captions judged by them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.contracts.errors import SourceError
from assay.contracts.modality import Defect, Example, Face, Worth
from assay.contracts.spec import Spec
from assay.modalities.audio.modality import AUDIO
from assay.modalities.audio.modality import measure as measure_sounds
from assay.modalities.image.modality import IMAGE
from assay.modalities.image.modality import measure as measure_images
from assay.store.captions import caption_hashes, texts_of
from assay.store.tables import TableReader

Chunks = Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]


def measure(spec: Spec, tables: TableReader, samples: pl.DataFrame, chunks: list[list[str]]) -> Chunks:
    """Facts of each chunk of pictures. Raises `SourceError` where the source has no captions."""
    refuse_without_captions(samples)
    yield from measure_images(spec, tables, samples, chunks)


def measure_captioned_sounds(spec: Spec, tables: TableReader, samples: pl.DataFrame, chunks: list[list[str]]) -> Chunks:
    """The same of sounds."""
    refuse_without_captions(samples)
    yield from measure_sounds(spec, tables, samples, chunks)


def refuse_without_captions(samples: pl.DataFrame) -> None:
    """Raises `SourceError` where the source has no captions."""
    if "text" not in samples.columns:
        raise SourceError(
            'pairs need a table with a column `text` beside `uri`: source.kind = "table", and where the captions have '
            'another name source.columns = { text = "…" }'
        )


def captions(inputs: Any) -> pl.DataFrame:
    """What is said of the captions, as rows of `measures`; `inputs` is an `assay.metrics.inputs.Inputs`."""
    from assay.modalities.pairs.captions import caption_measures

    corpus = inputs.corpus
    tower = tower_vectors(corpus.samples, inputs.tables.get("caption_vectors") or [])
    return caption_measures(inputs.spec, corpus.samples, corpus.unit.astype(np.int64), corpus.vectors, tower)


def worth(
    samples: pl.DataFrame, vectors: npt.NDArray[np.float32], found: npt.NDArray[np.bool_], embedded: TableReader
) -> Worth | None:
    """How often captions fit their pictures better than others' do; None for fewer than `FEWEST` pairs."""
    from assay.modalities.pairs.captions import FEWEST, caption_fit, caption_space, folds_of, told_captions, unit_length

    texts = texts_of(samples).str.to_lowercase()
    rows = np.flatnonzero(found & (texts != "").to_numpy())
    if len(rows) < FEWEST:
        return None
    words, pictures = texts.gather(rows).to_list(), unit_length(vectors[rows])
    tower = tower_vectors(samples, embedded.parts("caption_vectors"))
    if tower is not None:
        told, space = pictures, unit_length(tower[rows])
    else:
        space = caption_space(words, 0)
        told = told_captions(pictures, space, folds_of(samples["content_hash"].gather(rows), 5))
    return Worth("caption fit", *caption_fit(told, space, words, 0))


def tower_vectors(samples: pl.DataFrame, parts: list[Path]) -> npt.NDArray[np.float32] | None:
    """(n, d) what a text tower made of each sample's caption, 0 where there is none; None where no tower did."""
    from assay.modalities.pairs.captions import BY_WORDS

    found = pl.concat([pl.read_parquet(part) for part in parts]) if parts else pl.DataFrame()
    if found.is_empty() or found["embedder"][0] == BY_WORDS:
        return None
    hashes = caption_hashes(samples).to_frame()
    rows = found.unique("content_hash").with_row_index("place")
    place = hashes.join(rows.select("content_hash", "place"), on="content_hash", how="left", maintain_order="left")
    matrix = rows["vector"].to_numpy().astype(np.float32)
    vectors = matrix[place["place"].fill_null(0).to_numpy()]
    vectors[place["place"].is_null().to_numpy()] = 0.0
    return vectors


def example(folder: Path, seed: int) -> pl.DataFrame:
    """Writes captioned digits with some captions swapped."""
    from assay.modalities.pairs.example import write_example

    return write_example(folder, seed)


def example_of_sounds(folder: Path, seed: int) -> pl.DataFrame:
    """Writes made words with captions, some of them swapped."""
    from assay.modalities.pairs.example import write_words

    return write_words(folder, seed)


def _example_in(folder: str, what: str, write: Callable[[Path, int], pl.DataFrame]) -> Example:
    """An example whose table stands in its folder."""
    return Example(folder, what, write=write, spec=f'[source]\nkind = "table"\npath = "{folder}/captions.csv"\n')


assert IMAGE.facts is not None
assert AUDIO.facts is not None
SWAPPED = {"swapped_caption": Defect("source", "wrong_caption")}
PAIRS = replace(
    IMAGE,
    name="pairs",
    face=Face("captioned", "pairs", facts="image_facts", preview="thumbnail", caption="text"),
    facts=replace(IMAGE.facts, measure=measure),
    defects=SWAPPED,
    example=_example_in("captioned-digits", "handwritten digits with captions", example),
    tower="image",
    measures=captions,
    worth=worth,
)
AUDIO_PAIRS = replace(
    AUDIO,
    name="audio_pairs",
    face=Face("sound", "pairs", facts="audio_facts", preview="thumbnail", caption="text"),
    facts=replace(AUDIO.facts, measure=measure_captioned_sounds),
    defects=SWAPPED,
    example=_example_in("captioned-words", "made words with captions", example_of_sounds),
    measures=captions,
    worth=worth,
)
