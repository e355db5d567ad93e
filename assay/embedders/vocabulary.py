"""The words of a dataset: which there are, in how many texts, how much each counts; and their vectors as a table."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.contracts.tables import empty

MOST_WORDS = 30_000  # the most frequent
FEW_TEXTS = 100  # from so many on, a word must stand twice
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class WordVectors:
    """Embedded words; `n_texts`, `weights` (n,) and `vectors` (n, d) go with them.

    Attributes:
        n_texts: of those that the embedder was fitted on, in how many the word stands.
        weights: how much the word counts in a text's vector.
    """

    words: Sequence[str]
    n_texts: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float32]

    def frame(self) -> pl.DataFrame:
        """Rows of the table `words`, the most frequent first; words that are no Unicode, or have no direction, left
        out."""
        lengths = np.linalg.norm(self.vectors, axis=1)
        good = [row for row, word in enumerate(self.words) if lengths[row] > 0 and word.isprintable()]
        if not good:
            return empty("words")
        unit = (self.vectors[good] / lengths[good, None]).astype(np.float32)
        frame = pl.DataFrame(
            {
                "word": [self.words[row] for row in good],
                "n_texts": self.n_texts[good],
                "weight": self.weights[good].astype(np.float64),
                "vector": pl.Series(unit.tolist(), dtype=pl.List(pl.Float32)),
            }
        )
        return frame.sort(["n_texts", "word"], descending=[True, False])


def split_words(text: str) -> list[str]:
    """The words of a text, lower case: runs of letters, digits and `_`."""
    return _WORD.findall(text.lower())


def count_words(texts: Iterable[Sequence[str]]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The vocabulary of some texts, the most frequent word first, and in how many texts each word stands."""
    total: Counter[str] = Counter()
    within: Counter[str] = Counter()
    n = 0
    for words in texts:
        total.update(words)
        within.update(set(words))
        n += 1
    least = 2 if n >= FEW_TEXTS else 1
    ordered = sorted((-count, word) for word, count in total.items() if count >= least)[:MOST_WORDS]
    names = [word for _, word in ordered]
    return names, np.array([within[word] for word in names], dtype=np.int64)


def pack(terms: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Terms as UTF-8 joined by NUL, which no term holds; lone surrogates as themselves."""
    return np.frombuffer("\0".join(terms).encode("utf-8", "surrogatepass"), dtype=np.uint8)


def unpack(stored: npt.NDArray[np.uint8]) -> list[str]:
    """The terms that `pack` packed."""
    text = stored.tobytes().decode("utf-8", "surrogatepass")
    return text.split("\0") if text else []
