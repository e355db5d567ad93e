"""Bags of words, fitted on the dataset: counts or TF-IDF of words, truncated SVD.

`embed.model` says which: `tfidf` (the default) or `counts`. The simplest of the embedders of texts, and the one that
others are held against. A word's own vector is its row of V · S, so that words of the same texts lie near each other.
"""

import numpy as np
from scipy import sparse

from assay.embedders.lsa import Lsa, tfidf
from assay.embedders.vocabulary import WordVectors

NGRAMS = (("word", (1, 1)),)


class Bow(Lsa):
    """`weighted(counts) @ components`, float32; a text without a known word has the vector zero."""

    ngrams = NGRAMS

    def _weighted(self, counts: list[sparse.csr_matrix], idf: np.ndarray) -> sparse.csr_matrix:
        return counts[0] if self._model == "counts" else tfidf(counts, idf)

    def words(self) -> WordVectors:
        """The vocabulary, with each word's row of V · S."""
        self.load()
        stored = self.basis.load()
        terms = list(self._counters[0].vocabulary or {})
        idf = np.ones(len(terms), dtype=np.float32) if self._model == "counts" else self._idf
        return WordVectors(terms, stored["n_texts"], idf, self._components * stored["strengths"])
