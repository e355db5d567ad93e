"""A modality from another package: sequences of bases, measured, told apart and embedded in its own way.

`install(folder)` writes what pip would write for such a package: this module under another name, and its entry points.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import dataframely as dy
import numpy as np
import polars as pl

from assay.contracts.modality import Copies, Face, Facts, Modality
from assay.contracts.tables import Contract, empty
from assay.embedders.base import Embedder
from assay.embedders.basis import fingerprint_of
from assay.embedders.registry import Plan

KMERS = ["".join(letters) for letters in itertools.product("ACGT", repeat=3)]


class DnaFacts(Contract):
    """Measurements of one sequence."""

    content_hash = dy.String(primary_key=True, min_length=32, max_length=32)
    text = dy.String()
    n_bases = dy.Int32(min=1)
    gc_share = dy.Float32(min=0.0, max=1.0)


def measure(_spec, tables, _samples, chunks) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Facts of each chunk; what has another letter is refused."""
    for chunk in chunks:
        here = tables.scan("contents").select("content_hash", "text").filter(pl.col("content_hash").is_in(chunk))
        frame = here.collect().unique("content_hash")
        bad = pl.col("text").str.contains("[^ACGT]")
        letters = pl.col("text").str.len_chars()
        good = frame.filter(~bad).with_columns(
            n_bases=letters.cast(pl.Int32),
            gc_share=(pl.col("text").str.count_matches("[GC]") / letters).cast(pl.Float32),
        )
        failed = frame.filter(bad).select(
            "content_hash", reason=pl.lit("not_dna"), detail=pl.lit("a letter that is none of A, C, G, T")
        )
        yield good, failed, empty("failures")


class Kmers(Embedder):
    """How often each run of three bases stands in a sequence."""

    dimensions = len(KMERS)

    def __init__(self, fingerprint: str):
        self.fingerprint = fingerprint

    def prepare(self, item: str) -> np.ndarray:
        return np.array([sum(item.startswith(k, at) for at in range(len(item))) for k in KMERS], dtype=np.float32)

    def launch(self, batch: np.ndarray, n: int):
        return lambda: batch[:n]


def kmers(_spec, _workspace, _hashes, _tower) -> Plan:
    """The plan of `embed.kind = "kmers"`."""
    fingerprint = fingerprint_of(kind="kmers", version=1)
    return Plan("kmers", fingerprint, build=lambda: Kmers(fingerprint))


class Equal:
    """Confirms a pair of sequences where one is the other's reverse complement."""

    method = 1
    rings = ((10, 1.0),)

    def __init__(self, samples: pl.DataFrame, tables):
        facts = tables.read("dna_facts", ["content_hash", "text"])
        self._texts = samples.join(facts, on="content_hash", how="left", maintain_order="left")["text"]

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        turned = [text[::-1].translate(str.maketrans("ACGT", "TGCA")) for text in self._texts.gather(left)]
        return np.array([float(a == b) for a, b in zip(turned, self._texts.gather(right), strict=True)])

    def typical(self, left: np.ndarray, right: np.ndarray) -> dict[str, float]:
        return {}

    def least(self, reference: dict[str, float]) -> float:
        return 0.9


DNA = Modality(
    name="dna",
    content="text",
    face=Face("text", "sequences", facts="dna_facts", text="text"),
    embedders=("kmers",),
    facts=Facts("dna_facts", DnaFacts, measure, prepared="text", properties=("n_bases", "gc_share")),
    copies=Copies(
        columns=("text", "n_bases"),
        largest=("n_bases",),
        tier=lambda spec, samples, facts, tables, workspace: None,
        confirmer=lambda spec, samples, tables, workspace: Equal(samples, tables),
    ),
)


def install(folder: Path) -> None:
    """What pip leaves behind, in a folder to be put on Python's path."""
    described = folder / "assay_dna-1.0.dist-info"
    described.mkdir(parents=True)
    (folder / "assay_dna.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: assay-dna\nVersion: 1.0\n", encoding="utf-8")
    (described / "entry_points.txt").write_text(
        "[assay.modalities]\ndna = assay_dna:DNA\n[assay.embedders]\nkmers = assay_dna:kmers\n", encoding="utf-8"
    )
