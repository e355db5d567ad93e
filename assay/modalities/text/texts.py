"""Text near duplicates that the embeddings propose, decided on shared characters.

Pairs that MinHash was given to find share most of their five-character runs; a short text with two typing errors, or
one cut off at its end, does not. Runs of three characters, and the share of the shorter text where it begins the
longer one, forgive these.
"""

import numpy as np
import polars as pl

from assay.modalities.text.shingles import normalize
from assay.store.tables import TableReader

RUN = 3  # characters
CONFIRMED = 0.75  # similarity
WHOLE = 0.7  # of the longer text, that the shorter one must be, to count as cut off


class Texts:
    """Confirms pairs of samples on their texts."""

    method = 1
    rings = ((10, 1.2),)

    def __init__(self, samples: pl.DataFrame, tables: TableReader):
        wanted = samples.select("content_hash")
        facts = tables.scan("text_facts").select("content_hash", "text")
        found = facts.join(wanted.lazy().unique(), on="content_hash", how="semi").collect().unique("content_hash")
        self._texts = wanted.join(found, on="content_hash", how="left", maintain_order="left")["text"]

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1] of pairs of rows."""
        rows = np.union1d(left, right)
        texts = {row: normalize(text or "") for row, text in zip(rows.tolist(), self._texts.gather(rows), strict=True)}
        grams = {row: runs(text) for row, text in texts.items()}
        pairs = zip(left.tolist(), right.tolist(), strict=True)
        return np.array([text_similarity(texts[a], texts[b], grams[a], grams[b]) for a, b in pairs], dtype=np.float64)

    def typical(self, left: np.ndarray, right: np.ndarray) -> dict[str, float]:
        """Nothing: the similarity is absolute."""
        return {}

    def least(self, reference: dict[str, float]) -> float:
        """The same everywhere."""
        return CONFIRMED


def runs(text: str) -> frozenset[str]:
    """The distinct runs of `RUN` characters of a normalised text, its ends marked by blanks."""
    text = f" {text} "
    return frozenset(text[i : i + RUN] for i in range(len(text) - RUN + 1))


def text_similarity(one: str, other: str, runs_one: frozenset[str], runs_other: frozenset[str]) -> float:
    """Jaccard similarity of the runs; of a text and its beginning, the share of runs that the beginning has there."""
    shorter, longer = sorted((one, other), key=len)
    shared = len(runs_one & runs_other)
    if not shorter or not shared:
        return 0.0
    if longer.startswith(shorter) and len(shorter) >= WHOLE * len(longer):
        return shared / min(len(runs_one), len(runs_other))
    return shared / (len(runs_one) + len(runs_other) - shared)
