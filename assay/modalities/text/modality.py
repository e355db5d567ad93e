"""Texts: what the stages know of them. What computes is imported when it is called."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from assay.contracts.modality import Copies, Defect, Example, Face, Facts, Modality, Sample
from assay.contracts.spec import Spec
from assay.contracts.tables import TextFacts, empty
from assay.modalities import alterations
from assay.sources.endings import IMAGE, OTHER, SOUND, VIDEO
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace


def measure(
    spec: Spec, tables: TableReader, _: pl.DataFrame, chunks: list[list[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Facts of each chunk of texts, which ingest has kept in `contents`."""
    from assay.modalities.text.facts import text_facts

    for chunk in chunks:
        order = pl.DataFrame({"content_hash": chunk})
        here = tables.scan("contents").select("content_hash", "text").filter(pl.col("content_hash").is_in(chunk))
        texts = order.join(here.collect(), on="content_hash", how="left", maintain_order="left")
        measured, failed = text_facts(
            texts,
            steps=spec.clean.text_steps,
            language=spec.clean.language,
            max_characters=spec.clean.max_text_characters,
        )
        yield measured, failed, empty("failures")


def tier(spec: Spec, _: pl.DataFrame, facts: pl.DataFrame, *unused: Any) -> Any:
    """Equal texts once they are normalised, and texts that share most of their shingles."""
    from assay.modalities.text.tiers import text_tier

    return text_tier(facts, spec.dedup.minhash_jaccard)


def confirmer(spec: Spec, samples: pl.DataFrame, tables: Tables, workspace: Workspace) -> Any:
    """Confirms close vectors on the texts themselves."""
    from assay.modalities.text.texts import Texts

    return Texts(samples, tables)


def docstrings(seed: int) -> list[Sample]:
    """Real documentation."""
    from assay.modalities.text.docstrings import docstring_samples

    return docstring_samples(seed)


TEXT = Modality(
    name="text",
    content="text",
    face=Face("text", "texts", facts="text_facts", text="text"),
    tower="text",
    embedders=(
        "lsa",
        "sentence_transformers",
        "transformers",
        "open_clip",
        "service",
        "bow",
        "word2vec",
        "fasttext",
        "glove",
    ),
    facts=Facts(
        table="text_facts",
        contract=TextFacts,
        measure=measure,
        settings=("text_steps", "max_text_characters", "language"),
        libraries=("ftfy", "py3langid", "rensa", "regex", "pyspellchecker", "stopwordsiso"),
        chunk=4096,
        prepared="clean_text",
        properties=("n_characters", "n_words", "repetition", "uppercase", "symbols"),
        issues=(Path(__file__).with_name("issues.sql"),),
    ),
    copies=Copies(
        columns=("normalized_hash", "minhash", "text", "n_characters"),
        largest=("n_characters",),
        equal="text",
        tier=tier,
        confirmer=confirmer,
    ),
    other_endings=IMAGE | SOUND | VIDEO | OTHER,
    defects={
        "byte_duplicate": Defect("copy", "exact duplicates"),
        "restyled": Defect("copy", "exact duplicates", alterations.restyle),
        "edited": Defect("copy", "near duplicates", alterations.edit_a_word),
        "leak": Defect("leak", "leaks"),
        "garbled": Defect("damage", "garbled", alterations.garble),
        "near_empty": Defect("damage", "near_empty", alterations.empty_out, also=("unreadable files",)),
        "repetitive": Defect("damage", "repetitive", alterations.repeat_words),
        "off_topic": Defect("stranger", "rare_words", alterations.off_topic_text, also=("outliers",)),
        "flipped_label": Defect("label", "label issues"),
    },
    example=Example("docstrings", "what Python's scientific packages say of their functions", samples=docstrings),
)
