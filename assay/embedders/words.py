"""Texts as the weighted mean of their words' vectors, which are learned from the dataset itself.

How the words get their vectors is the kind: `word2vec` (`embed.model`: `skipgram`, the default, or `cbow`; Mikolov et
al. 2013), `fasttext` (the same with the word's letters, so that a word never seen has a vector too; Bojanowski et al.
2017) and `glove` (Pennington et al. 2014). Words count by their inverse document frequency, or with
`embed.word_weights = "equal"` all the same.
"""

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

from assay.contracts.spec import Spec
from assay.embedders.base import Collect, FittedEmbedder
from assay.embedders.basis import Basis
from assay.embedders.vocabulary import WordVectors, count_words, pack, split_words, unpack

DIMENSIONS = 100
WINDOW = 5
READ = 3_000_000  # words read in training, about, in FEWEST to MOST epochs: few texts are read more often
FEWEST, MOST = 5, 200
BUCKETS = 50_000  # of fastText's character n-grams
_LETTERS = (3, 6)  # of a character n-gram

Matrix = npt.NDArray[np.float32]


class WordMeans(FittedEmbedder):
    """Base: `Σ weight(word) · vector(word)` over a text's words; a text without a known word has the vector zero."""

    default_dimensions = DIMENSIONS

    def __init__(self, spec: Spec, basis: Basis) -> None:
        super().__init__(basis)
        self.wanted = spec.embed.dimensions or self.default_dimensions
        self.seed, self.model = spec.embed.seed, spec.embed.model
        self._equal = spec.embed.word_weights == "equal"
        self.batch_size = spec.embed.batch_size or 256
        self._row: dict[str, int] | None = None

    def learn(self, texts: list[list[str]], words: list[str]) -> tuple[Matrix, Matrix]:
        """The words' vectors (n, d), and those of parts of words (m, d), m = 0 where the kind has none.

        Args:
            texts: their words, only such as stand in `words`.
        """
        raise NotImplementedError

    @property
    def dimensions(self) -> int:
        """Numbers of a vector."""
        return self._vectors.shape[1]

    def load(self) -> None:
        """Read the stored basis. Raises `EmbedderError` where it is damaged."""
        if self._row is not None:
            return
        stored = self.basis.load()
        self._names, self._n_texts = unpack(stored["terms"]), stored["n_texts"]
        self._weights, self._vectors, self._parts = stored["weights"], stored["vectors"], stored["parts"]
        self._unknown = float(stored["unknown"])
        self._row = {word: row for row, word in enumerate(self._names)}

    def prepare(self, item: str) -> list[str]:
        """The text's words."""
        return split_words(item)

    def collate(self, prepared: Sequence[list[str]]) -> list[list[str]]:
        """Texts of any length."""
        return list(prepared)

    def launch(self, batch: list[list[str]], n: int) -> Collect:
        """Vectors of the first `n` texts."""
        assert self._row is not None, "load first"
        rows = [[self._row[word] for word in words if word in self._row] for words in batch[:n]]
        starts = np.cumsum([0, *map(len, rows)])
        places = np.array([row for text in rows for row in text], dtype=np.int64)
        counted = sparse.csr_matrix((self._weights[places], places, starts), shape=(len(rows), len(self._names)))
        vectors = np.asarray(counted @ self._vectors, dtype=np.float32)
        if len(self._parts):
            for place, words in enumerate(batch[:n]):
                for word in words:
                    if word not in self._row:
                        vectors[place] += self._unknown * self._from_parts(word)
        return lambda: vectors

    def _from_parts(self, word: str) -> Matrix:
        """The vector of a word that is not known, from its parts."""
        return np.zeros(self._vectors.shape[1], dtype=np.float32)

    def fit(self, prepared: list[list[str]]) -> None:
        """Learn the vocabulary, its weights and its vectors."""
        words, n_texts = count_words(prepared)
        known = set(words)
        texts = [[word for word in text if word in known] for text in prepared]
        vectors, parts = self.learn(texts, words) if words else (_none(1), _none(1))
        unknown = 1.0 if self._equal else float(np.log(1 + len(prepared)) + 1)
        idf = np.log((1 + len(prepared)) / (1 + n_texts)) + 1
        weights = np.ones(len(words)) if self._equal else idf
        self.basis.save(
            terms=pack(words), n_texts=n_texts, weights=weights.astype(np.float32), unknown=np.array(unknown),
            vectors=vectors, parts=parts,
        )  # fmt: skip

    def words(self) -> WordVectors:
        """The vocabulary with its vectors."""
        self.load()
        return WordVectors(self._names, self._n_texts, self._weights, self._vectors)


class Word2Vec(WordMeans):
    """gensim's, with one worker, so that two machines learn the same."""

    def learn(self, texts: list[list[str]], words: list[str]) -> tuple[Matrix, Matrix]:
        """Skip-gram or continuous bag of words with negative sampling."""
        from gensim.models import Word2Vec as Model

        model = Model(texts, sg=int(self.model != "cbow"), **_settings(texts, self.wanted, self.seed))
        return np.stack([model.wv[word] for word in words]).astype(np.float32), _none(self.wanted)


class FastText(WordMeans):
    """gensim's fastText, skip-gram: a word is the mean of itself and its character n-grams."""

    def learn(self, texts: list[list[str]], words: list[str]) -> tuple[Matrix, Matrix]:
        """As word2vec's, and the n-grams' vectors by the hash of the n-gram."""
        from gensim.models import FastText as Model

        letters = {"bucket": BUCKETS, "min_n": _LETTERS[0], "max_n": _LETTERS[1]}
        model = Model(texts, sg=1, **letters, **_settings(texts, self.wanted, self.seed))
        vectors = np.stack([model.wv[word] for word in words]).astype(np.float32)
        return vectors, np.asarray(model.wv.vectors_ngrams, dtype=np.float32)

    def _from_parts(self, word: str) -> Matrix:
        from gensim.models.fasttext import ft_ngram_hashes

        hashes = ft_ngram_hashes(word, *_LETTERS, len(self._parts))
        return self._parts[hashes].mean(axis=0) if len(hashes) else super()._from_parts(word)


class Glove(WordMeans):
    """Global factorisation of how often words stand near each other; ours, see `assay.embedders.glove`."""

    default_dimensions = 128

    def learn(self, texts: list[list[str]], words: list[str]) -> tuple[Matrix, Matrix]:
        """GloVe's word and context vectors, added."""
        from assay.embedders.glove import cooccurrence, factorize

        row = {word: place for place, word in enumerate(words)}
        counts = cooccurrence([[row[word] for word in text] for text in texts], len(words))
        return factorize(counts, self.wanted, self.seed), _none(self.wanted)


@functools.cache
def _none(dimensions: int) -> Matrix:
    return np.zeros((0, dimensions), dtype=np.float32)


def _settings(texts: list[list[str]], dimensions: int, seed: int) -> dict[str, int]:
    epochs = min(max(-(-READ // max(sum(map(len, texts)), 1)), FEWEST), MOST)
    return {
        "vector_size": dimensions, "window": WINDOW, "epochs": epochs, "min_count": 1, "seed": seed, "workers": 1,
    }  # fmt: skip
