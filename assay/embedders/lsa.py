"""Latent semantic analysis of texts, fitted on the dataset: TF-IDF of words and character n-grams, truncated SVD.

No weights: a machine without a network still gets vectors in which texts of like words lie near each other.
Deerwester et al. 1990; the randomized SVD is Halko et al. 2011 (scikit-learn's).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer

from assay.contracts.spec import Spec
from assay.embedders.base import Collect, FittedEmbedder
from assay.embedders.basis import Basis
from assay.embedders.vocabulary import pack, unpack

DIMENSIONS = 256
_TERMS = 30_000  # of each of the two vocabularies, at most: the most frequent
_CHARACTERS = 20_000  # of a text that count, unless long texts are read whole
NGRAMS: tuple[tuple[str, tuple[int, int]], ...] = (("word", (1, 2)), ("char_wb", (3, 5)))


class Lsa(FittedEmbedder):
    """`tfidf(text) @ components`, float32; a text without a known term has the vector zero."""

    ngrams = NGRAMS

    def __init__(self, spec: Spec, basis: Basis) -> None:
        super().__init__(basis)
        self._wanted = spec.embed.dimensions or DIMENSIONS
        self._seed, self._model = spec.embed.seed, spec.embed.model
        self._limit = None if spec.embed.long_texts == "windows" else _CHARACTERS
        self.batch_size = spec.embed.batch_size or 256
        self._components: np.ndarray | None = None

    @property
    def dimensions(self) -> int:
        assert self._components is not None, "load first"
        return self._components.shape[1]

    def load(self) -> None:
        """Read the stored basis. Raises `EmbedderError` where it is damaged."""
        if self._components is not None:
            return
        stored = self.basis.load()
        self._counters = [
            _counter(kind, ngrams, vocabulary={term: row for row, term in enumerate(unpack(stored[f"terms_{kind}"]))})
            for kind, ngrams in self.ngrams
        ]
        self._idf, self._components = stored["idf"], stored["components"]

    def prepare(self, item: str) -> str:
        """The text; a NUL, which parts the stored terms, as a space."""
        return item.replace("\0", " ")

    def cut(self, prepared: str) -> tuple[int, int] | None:
        """In characters."""
        return (self._limit, len(prepared)) if self._limit and len(prepared) > self._limit else None

    def collate(self, prepared: Sequence[str]) -> list[str]:
        """The part of each text that counts."""
        return [text[: self._limit] for text in prepared]

    def launch(self, batch: list[str], n: int) -> Collect:
        assert self._components is not None, "load first"
        counts = [counter.transform(batch) if counter.vocabulary else _nothing(n) for counter in self._counters]
        vectors = (self._weighted(counts, self._idf) @ self._components).astype(np.float32)
        return lambda: vectors[:n]

    def fit(self, prepared: list[str]) -> None:
        """Vocabularies, inverse document frequencies and the SVD of the prepared texts."""
        prepared = self.collate(prepared)
        counted = [_count(kind, ngrams, prepared) for kind, ngrams in self.ngrams]
        counts = [matrix for matrix, _ in counted]
        frequency = np.concatenate([np.asarray((matrix > 0).sum(axis=0)).reshape(-1) for matrix in counts])
        idf = (np.log((1 + len(prepared)) / (1 + frequency)) + 1).astype(np.float32)
        terms = {f"terms_{kind}": pack(names) for (kind, _), (_, names) in zip(self.ngrams, counted, strict=True)}
        components, strengths = _components(self._weighted(counts, idf), self._wanted, self._seed)
        n_texts = frequency.astype(np.int64)
        self.basis.save(idf=idf, components=components, strengths=strengths, n_texts=n_texts, **terms)

    def _weighted(self, counts: list[sparse.csr_matrix], idf: np.ndarray) -> sparse.csr_matrix:
        return tfidf(counts, idf)


def _counter(kind: str, ngrams: tuple[int, int], **options: Any) -> CountVectorizer:
    pattern = r"(?u)\b\w+\b" if kind == "word" else None
    return CountVectorizer(analyzer=kind, ngram_range=ngrams, token_pattern=pattern, dtype=np.float32, **options)


def _count(kind: str, ngrams: tuple[int, int], texts: list[str]) -> tuple[sparse.csr_matrix, list[str]]:
    """Counts (n, terms) and the terms; terms of two texts or more where there are enough texts."""
    counter = _counter(kind, ngrams, max_features=_TERMS, min_df=2 if len(texts) >= 100 else 1)
    try:
        matrix = counter.fit_transform(texts)
    except ValueError:  # no text holds any term
        return _nothing(len(texts)), []
    return matrix, list(counter.get_feature_names_out())


def _nothing(n: int) -> sparse.csr_matrix:
    return sparse.csr_matrix(np.zeros((n, 0), dtype=np.float32))


def tfidf(counts: list[sparse.csr_matrix], idf: np.ndarray) -> sparse.csr_matrix:
    """1 + log of each count, times its term's idf, each text's row of length 1."""
    matrix = sparse.hstack(counts, format="csr", dtype=np.float32)
    matrix.data = (1 + np.log(matrix.data)) * idf[matrix.indices]
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).reshape(-1))
    return sparse.diags(1 / np.where(lengths > 0, lengths, 1)).astype(np.float32) @ matrix


def _components(matrix: sparse.csr_matrix, wanted: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Right singular vectors (terms, k) and singular values (k,), float32."""
    k = min(wanted, matrix.shape[0], matrix.shape[1])
    if k == 0:
        return np.zeros((matrix.shape[1], 1), dtype=np.float32), np.ones(1, dtype=np.float32)
    if matrix.shape[1] == 1:  # one term, which scikit-learn refuses
        return np.ones((1, 1), dtype=np.float32), np.ones(1, dtype=np.float32)
    with np.errstate(invalid="ignore"):  # texts that are all equal have no variance to explain
        svd = TruncatedSVD(k, algorithm="randomized", n_iter=7, random_state=seed).fit(matrix)
    kept = svd.singular_values_ > svd.singular_values_[0] * 1e-5
    return np.ascontiguousarray(svd.components_[kept].T, dtype=np.float32), svd.singular_values_[kept].astype(
        np.float32
    )
