"""Sounds: what the stages know of them. What computes is imported when it is called."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from assay.contracts.modality import Copies, Defect, Example, Face, Facts, Modality, Sample
from assay.contracts.spec import Spec
from assay.contracts.tables import AudioFacts
from assay.modalities.audio import alterations
from assay.modalities.contents import with_places
from assay.sources.endings import CODE, IMAGE, MARKUP, OTHER, VIDEO
from assay.sources.files import open_source
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace


def measure(
    spec: Spec, _: TableReader, samples: pl.DataFrame, chunks: list[list[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Facts of each chunk of contents, read from the first of their places that still holds them."""
    from assay.modalities.audio.cleaning import audio_facts

    return audio_facts(open_source(spec), with_places(samples, chunks), spec.clean.max_seconds)


def readable(spec: Spec, content: bytes) -> None:
    """Raises `UnreadableSample` where the bytes are no sound."""
    from assay.modalities.audio.decode import decode

    decode(content, spec.clean.max_seconds)


def tier(spec: Spec, samples: pl.DataFrame, facts: pl.DataFrame, *unused: Any) -> Any:
    """Equal samples, whatever file holds them."""
    from assay.modalities.audio.tiers import waveform_tier

    return waveform_tier(facts)


def confirmer(_spec: Spec, samples: pl.DataFrame, tables: Tables, _workspace: Workspace) -> Any:
    """Confirms close vectors on spectrograms."""
    from assay.modalities.audio.copies import Sounds

    return Sounds(samples, tables)


def words(seed: int) -> list[Sample]:
    """Made words."""
    from assay.modalities.audio.words import word_samples

    return word_samples(seed)


AUDIO = Modality(
    name="audio",
    content="file",
    face=Face("sound", "recordings", facts="audio_facts", preview="thumbnail"),
    embedders=("logmel", "transformers"),
    facts=Facts(
        table="audio_facts",
        contract=AudioFacts,
        measure=measure,
        settings=("max_seconds",),
        libraries=("soundfile", "numpy", "pillow"),
        version=1,
        chunk=512,
        properties=("seconds", "loudness_db", "silence", "snr_db", "bandwidth", "rate"),
        issues=(Path(__file__).with_name("issues.sql"),),
        prevalence=Path(__file__).with_name("prevalence.sql"),
    ),
    copies=Copies(
        columns=("sound_hash", "rate", "n_channels"),
        largest=("rate", "n_channels"),
        equal="waveform",
        tier=tier,
        confirmer=confirmer,
    ),
    other_endings=IMAGE | (VIDEO - {"webm"}) | MARKUP | CODE | OTHER,
    readable=readable,
    defects={
        "byte_duplicate": Defect("copy", "exact duplicates"),
        "quieter": Defect("copy", "near duplicates", alterations.quieter, also=("odd_loudness",)),
        "noisy_copy": Defect("copy", "near duplicates", alterations.noisy_copy, also=("noisy",)),
        "resampled": Defect("copy", "near duplicates", alterations.resampled, also=("muffled",)),
        "leak": Defect("leak", "leaks"),
        "clipped": Defect("damage", "clipped", alterations.clip),
        "silent": Defect("damage", "silent", alterations.silence),
        "dropouts": Defect("damage", "dropouts", alterations.drop_out),
        "truncated": Defect("damage", "damaged", alterations.truncate),
        "off_topic": Defect("stranger", "outliers", alterations.tone),
        "flipped_label": Defect("label", "label issues"),
    },
    example=Example("words", "made words of a buzzing voice", samples=words),
)
