"""GloVe: words' vectors by factorising how often words stand near each other (Pennington, Socher, Manning 2014).

Minimises Σ f(x) (w·u + b + c − log x)² over the pairs of words that were seen x times near each other, by Adam on all
pairs at once: a step is a few products of sparse and dense matrices.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

WINDOW = 10  # words at distance k count 1 ÷ k
ENOUGH = 2.0  # times seen, from which a pair has its full weight; the paper's 100 is for corpora of billions of words
POWER = 0.75
STEPS, RATE = 60, 0.05
MOST_PAIRS = 20_000_000  # the most frequent


def cooccurrence(texts: Sequence[Sequence[int]], n_words: int) -> sparse.csr_matrix:
    """How often each two words stand near each other, (n, n) float32, symmetric. `texts`: word numbers in order."""
    words = np.fromiter((word for text in texts for word in text), dtype=np.int32)
    text = np.repeat(np.arange(len(texts)), [len(words) for words in texts])
    total = sparse.csr_matrix((n_words, n_words), dtype=np.float32)
    for distance in range(1, min(WINDOW, len(words) - 1) + 1):
        same = text[:-distance] == text[distance:]
        near = (words[:-distance][same], words[distance:][same])
        total = total + sparse.csr_matrix((np.full(len(near[0]), 1 / distance, np.float32), near), shape=total.shape)
    return _most_frequent((total + total.T).tocsr())


def _most_frequent(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    if counts.nnz > MOST_PAIRS:
        counts.data[counts.data < np.partition(counts.data, -MOST_PAIRS)[-MOST_PAIRS]] = 0
        counts.eliminate_zeros()
    return counts


def factorize(counts: sparse.csr_matrix, dimensions: int, seed: int) -> npt.NDArray[np.float32]:
    """Word plus context vectors, (n, d). `counts`: from `cooccurrence`; without any pair, small random vectors."""
    n = counts.shape[0]
    rng = np.random.default_rng(seed)
    words, contexts = (((rng.random((n, dimensions + 1)) - 0.5) / dimensions).astype(np.float32) for _ in range(2))
    wanted = np.log(counts.data)
    weights = np.minimum(1.0, (counts.data / ENOUGH) ** POWER)
    rows = np.repeat(np.arange(n), np.diff(counts.indptr))
    updates = [_Adam(words), _Adam(contexts)]
    for _ in range(STEPS):
        errors = weights * (_products(words, contexts, rows, counts.indices) - wanted)
        residual = sparse.csr_matrix((errors, counts.indices, counts.indptr), shape=counts.shape)
        slopes = [_slope(residual, contexts), _slope(residual.T.tocsr(), words)]
        for update, slope in zip(updates, slopes, strict=True):
            update.step(slope)
    return words[:, :-1] + contexts[:, :-1]


def _products(
    words: npt.NDArray[np.float32], contexts: npt.NDArray[np.float32], rows: np.ndarray, columns: np.ndarray
) -> npt.NDArray[np.float32]:
    """w·u + b + c of each pair; the last column of each is the bias. Some pairs at a time."""
    found = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), 100_000):
        part = slice(start, start + 100_000)
        left, right = words[rows[part]], contexts[columns[part]]
        found[part] = np.einsum("nd,nd->n", left[:, :-1], right[:, :-1]) + left[:, -1] + right[:, -1]
    return found


def _slope(residual: sparse.csr_matrix, others: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The gradient of the words' vectors and biases."""
    return np.hstack([residual @ others[:, :-1], np.asarray(residual.sum(axis=1)).reshape(-1, 1)]).astype(np.float32)


class _Adam:
    """Adam (Kingma and Ba 2015), in place."""

    def __init__(self, values: npt.NDArray[np.float32]) -> None:
        self.values = values
        self.mean, self.square, self.steps = np.zeros_like(values), np.zeros_like(values), 0

    def step(self, slope: npt.NDArray[np.float32]) -> None:
        """One step against the slope."""
        self.steps += 1
        self.mean += 0.1 * (slope - self.mean)
        self.square += 0.001 * (slope * slope - self.square)
        mean = self.mean / (1 - 0.9**self.steps)
        square = self.square / (1 - 0.999**self.steps)
        self.values -= RATE * mean / (np.sqrt(square) + 1e-8)
