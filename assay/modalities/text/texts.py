"""Text near duplicates, decided on the texts themselves: the confirmer of the tiers before and after the embedding.

MinHash bands, shared passages and near vectors only propose pairs. Their words decide (`comparison`), after what many
texts of the dataset have in common is taken away (`fingerprints`).
"""

import functools
from collections.abc import Sequence

import numpy as np
import polars as pl

from assay.modalities.text.comparison import Relation, relation
from assay.modalities.text.fingerprints import common_spans, fingerprint, passage_pairs
from assay.modalities.text.shingles import band_pairs, jaccard, normalize_text
from assay.modalities.text.tokens import Text, read_text
from assay.modalities.tier import Pairs, union
from assay.store.tables import TableReader

LEAST = 1e-9  # similarity: a pair that is not confirmed has 0
CHUNK = 50_000  # texts whose words are counted at a time
WORDS = r"[\p{L}\p{M}\p{N}_]+(?:['’]\p{L}+)*"
TIERS = {Relation.SAME: "embedding", Relation.NEARLY: "embedding", Relation.CONTAINED: "contained"}


class TextPairs:
    """Compares pairs of some texts of a dataset. `left` and `right` are rows of `texts`, of those in `rows`."""

    def __init__(self, texts: Sequence[str | None], rows: np.ndarray) -> None:
        self._texts, self._rows = texts, rows
        self._normalized = [normalize_text(texts[row] or "") for row in rows.tolist()]
        self._found = fingerprint(self._normalized)
        self._spans = common_spans(self._found, np.array([len(text) for text in self._normalized]))
        self._read = functools.lru_cache(maxsize=20_000)(self._read_anew)

    def sharing(self) -> Pairs:
        """Pairs that share passages which few texts have."""
        left, right = passage_pairs(self._found)
        return self._rows[left], self._rows[right]

    def relations(self, left: np.ndarray, right: np.ndarray) -> tuple[list[Relation], np.ndarray]:
        """What each pair is, and its similarity (m,) float64 in [0, 1]."""
        places = (np.searchsorted(self._rows, ends).tolist() for ends in (left, right))
        found = [relation(self._read(a), self._read(b), self._n_texts) for a, b in zip(*places, strict=True)]
        return [what for what, _ in found], np.array([value for _, value in found], dtype=np.float64)

    def same(self, left: np.ndarray, right: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Those pairs that are the same word for word, of a Jaccard similarity (all shingles) of at least `least`."""
        similarity = jaccard(self._normalized, *(np.searchsorted(self._rows, ends) for ends in (left, right)))
        close = similarity >= least
        left, right, similarity = left[close], right[close], similarity[close]
        is_same = np.array([what is Relation.SAME for what in self.relations(left, right)[0]], dtype=bool)
        return left[is_same], right[is_same], similarity[is_same]

    def _read_anew(self, place: int) -> Text:
        raw = self._texts[self._rows[place]] or ""
        return read_text(raw, self._normalized[place], self._spans.get(place, ()))

    def _n_texts(self, word: str) -> int:
        return self._counts.get(word, 1)

    @functools.cached_property
    def _counts(self) -> dict[str, int]:
        """In how many texts a word stands, of those that stand in two or more."""
        counted = [pl.DataFrame(schema={"word": pl.String, "n": pl.UInt32})]
        for start in range(0, len(self._normalized), CHUNK):
            words = pl.Series("word", self._normalized[start : start + CHUNK], dtype=pl.String)
            words = words.str.extract_all(WORDS).list.unique().explode(empty_as_null=False).drop_nulls()
            counted.append(words.value_counts(name="n"))
        total = pl.concat(counted).group_by("word").agg(pl.col("n").sum()).filter(pl.col("n") > 1)
        return dict(total.iter_rows())


def same_pairs(
    texts: Sequence[str | None], signatures: pl.Series, rows: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(left, right, similarity)` of the pairs of texts that are the same word for word.

    Args:
        signatures: MinHash values of all texts, empty or null where there are none.
        rows: the texts to compare, sorted, no two of them equal.
        threshold: least Jaccard similarity.
    """
    lengths = signatures.list.len().fill_null(0).to_numpy()
    width = int(lengths.max(initial=0))
    rows = rows[lengths[rows] == width] if width else rows[:0]
    if len(rows) < 2:
        return rows[:0], rows[:0], np.zeros(0)
    values = signatures.gather(rows).explode().to_numpy().astype(np.uint32).reshape(len(rows), width)
    compared = TextPairs(texts, rows)
    left, right = band_pairs(values, threshold)
    return compared.same(*union((rows[left], rows[right]), compared.sharing()), threshold)


class Texts:
    """Confirms pairs of units after the index: nearly the same, or one contained in the other."""

    method = 2
    rings = ((10, 1.2),)

    def __init__(self, samples: pl.DataFrame, tables: TableReader) -> None:
        wanted = samples.select("content_hash")
        facts = tables.scan("text_facts").select("content_hash", "text")
        found = facts.join(wanted.lazy().unique(), on="content_hash", how="semi").collect().unique("content_hash")
        self._texts = wanted.join(found, on="content_hash", how="left", maintain_order="left")["text"].to_list()
        self._pairs: TextPairs | None = None

    def look_alikes(self, rows: np.ndarray) -> Pairs:
        """Pairs of `rows` that share passages, whatever their vectors say."""
        self._pairs = TextPairs(self._texts, rows)
        return self._pairs.sharing()

    def _confirmed(self, left: np.ndarray, right: np.ndarray) -> tuple[list[Relation], np.ndarray]:
        assert self._pairs is not None, "look_alikes first"
        return self._pairs.relations(left, right)

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1] of pairs of rows given to `look_alikes`; 0 where a pair is not confirmed."""
        found, values = self._confirmed(left, right)
        return np.where([what is Relation.NEITHER for what in found], 0.0, np.maximum(values, LEAST))

    def tiers(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) object: the name of the tier of each pair."""
        found, _ = self._confirmed(left, right)
        return np.array([TIERS.get(what, "embedding") for what in found], dtype=object)

    def typical(self, left: np.ndarray, right: np.ndarray) -> dict[str, float]:
        """Nothing: the similarity is absolute."""
        return {}

    def least(self, reference: dict[str, float]) -> float:
        """What is confirmed at all."""
        return LEAST
