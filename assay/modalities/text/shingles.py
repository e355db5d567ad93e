"""Text near duplicates: MinHash bands propose pairs, the true Jaccard similarity of their shingles decides.

Shingles are the runs of five characters of the normalised text (NFKC, case-folded, blanks collapsed): on short
texts runs of words leave too few shingles for one typing error to be a small difference.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np
import regex
import rensa

SHINGLE = 5  # characters; runs of words fall short on ten-word texts
PERMUTATIONS = 128
CONTROL = regex.compile(
    r"[\p{Cc}--[\t\n\r\x85]]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|[\ufeff\u200b\u2060\ufff9-\ufffb]|\p{Cn}",
    regex.V1,
)  # control characters, bidi marks and overrides, invisible blanks, non-characters; joiners stay (emoji, Indic)
RAISED = regex.compile(r"[²³¹⁰ⁱ⁴-ⁿ₀-ₜ½¼¾⅐-⅞↉]+")
WINDOW = 64  # in a longer run of equal bands each text meets this many next ones, and the run's first HUBS ones
HUBS = 16
BLOCK = 10_000  # pairs
MISS = 0.005  # largest chance to miss a pair whose similarity is just the threshold


def normalize_text(text: str) -> str:
    """NFKC, case-folded, without control characters, white space collapsed: equal texts are the same to a reader.

    Raised and lowered characters keep that they are: 10² is not 102.
    """
    folded = CONTROL.sub("", text)
    if not folded.isascii():
        folded = RAISED.sub(lambda match: f"^{match[0]}", folded)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())
    return " ".join(folded.split())


def shingles(text: str) -> frozenset[str]:
    """The distinct shingles of the normalised text; a shorter text is its own single shingle, an empty one has none."""
    text = normalize_text(text)
    if len(text) <= SHINGLE:
        return frozenset([text] if text else [])
    return frozenset(text[i : i + SHINGLE] for i in range(len(text) - SHINGLE + 1))


def minhashes(texts: Sequence[str]) -> list[list[int]]:
    """128 MinHash values of the shingles of each text; none for an empty text.

    Two texts agree in a value with a probability that is the Jaccard similarity of their shingles (Broder 1997).
    """
    shingled = [sorted(shingles(text)) for text in texts]
    digests = rensa.RMinHash.digests_from_token_sets(shingled, num_perm=PERMUTATIONS, seed=1)
    return [list(digest) if tokens else [] for digest, tokens in zip(digests, shingled, strict=True)]


def jaccard(texts: Sequence[str], left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(m,) float64 in [0, 1]: shared shingles ÷ all shingles of each pair; 0 where a text has none."""
    value = np.zeros(len(left), dtype=np.float64)
    order = np.argsort(left, kind="stable")
    for start in range(0, len(order), BLOCK):  # the shingles of all texts at once would take a hundred times their size
        at = order[start : start + BLOCK]
        sets = {int(i): shingles(texts[i]) for i in np.union1d(left[at], right[at])}
        for place, a, b in zip(at.tolist(), left[at].tolist(), right[at].tolist(), strict=True):
            shared = len(sets[a] & sets[b])
            value[place] = shared / (len(sets[a]) + len(sets[b]) - shared) if shared else 0.0
    return value


def band_rows(n_hashes: int, threshold: float) -> int:
    """The most rows a band may have so that a pair at `threshold` is missed with a chance of at most `MISS`.

    With b = n_hashes ÷ r bands of r rows the chance is (1 − thresholdʳ)ᵇ (Leskovec, Rajaraman, Ullman, chapter 3).
    """
    fits = [r for r in range(1, n_hashes + 1) if (1 - threshold**r) ** (n_hashes // r) <= MISS]
    return max(fits, default=1)


def band_pairs(signatures: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Pairs `left < right` of texts that agree on a whole band, sorted.

    Args:
        signatures: (n, h) uint32 MinHash values.
    """
    n, n_hashes = signatures.shape
    rows = band_rows(n_hashes, threshold)
    found = [
        pairs_of_equal(_band_key(signatures[:, start : start + rows]), WINDOW, HUBS)
        for start in range(0, n_hashes - rows + 1, rows)
    ]
    found.append(np.zeros(0, np.int64))
    return np.divmod(np.unique(np.concatenate(found)), max(n, 1))


def _band_key(band: np.ndarray) -> np.ndarray:
    """(n,) uint64: equal bands have equal keys (an accident the other way is caught by the true similarity)."""
    key = np.zeros(len(band), dtype=np.uint64)
    for column in band.T:
        key = (key ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key


def pairs_of_equal(key: np.ndarray, window: int, hubs: int) -> np.ndarray:
    """Pairs with equal keys, packed as left × n + right: in runs longer than `window` each meets as many next ones, and
    the run's first `hubs`."""
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.concatenate([[0], np.flatnonzero(key[1:] != key[:-1]) + 1])
    head = np.repeat(starts, np.diff(np.concatenate([starts, [len(key)]])))
    place = np.arange(len(key))
    found = [np.zeros(0, np.int64)]
    for step in range(1, window):
        ends = np.flatnonzero(place - head >= step)
        if not len(ends):
            break
        found.append(order[ends - step] * len(key) + order[ends])
    for hub in range(hubs):
        ends = np.flatnonzero(place - head >= max(window, hub + 1))
        found.append(order[head[ends] + hub] * len(key) + order[ends])
    return np.concatenate(found)
