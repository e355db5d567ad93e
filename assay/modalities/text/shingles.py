"""Text near duplicates: MinHash bands propose pairs, the true Jaccard similarity of their shingles decides.

Shingles are the runs of five characters of the normalised text (NFKC, case-folded, blanks collapsed): on short
texts runs of words leave too few shingles for one typing error to be a small difference.
"""

import unicodedata

import numpy as np

SHINGLE = 5  # characters
WINDOW = 64  # in a longer run of equal bands each text meets this many next ones, and the run's first HUBS ones
HUBS = 16
MISS = 0.005  # largest chance to miss a pair whose similarity is just the threshold


def normalize(text: str) -> str:
    """NFKC, case-folded, blanks collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def shingles(text: str) -> frozenset[str]:
    """The distinct shingles of the normalised text; a shorter text is its own single shingle, an empty one has none."""
    text = normalize(text)
    if len(text) <= SHINGLE:
        return frozenset([text] if text else [])
    return frozenset(text[i : i + SHINGLE] for i in range(len(text) - SHINGLE + 1))


def jaccard(texts: list[str], left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(m,) float64 in [0, 1]: shared shingles ÷ all shingles of each pair; 0 where a text has none."""
    sets = {int(i): shingles(texts[i]) for i in np.union1d(left, right)}
    shared = [len(sets[a] & sets[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    whole = [len(sets[a]) + len(sets[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)]
    return np.array([s / (w - s) if s else 0.0 for s, w in zip(shared, whole, strict=True)], dtype=np.float64)


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
    found = [np.zeros(0, np.int64)]
    for start in range(0, n_hashes - rows + 1, rows):
        found.append(_pairs_of_equal(_band_key(signatures[:, start : start + rows])))
    return np.divmod(np.unique(np.concatenate(found)), max(n, 1))


def _band_key(band: np.ndarray) -> np.ndarray:
    """(n,) uint64: equal bands have equal keys (an accident the other way is caught by the true similarity)."""
    key = np.zeros(len(band), dtype=np.uint64)
    for column in band.T:
        key = (key ^ column.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key


def _pairs_of_equal(key: np.ndarray) -> np.ndarray:
    """Pairs with equal keys, packed as left × n + right; in long runs the first ones and a window."""
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.concatenate([[0], np.flatnonzero(key[1:] != key[:-1]) + 1])
    head = np.repeat(starts, np.diff(np.concatenate([starts, [len(key)]])))
    place = np.arange(len(key))
    found = [np.zeros(0, np.int64)]
    for step in range(1, WINDOW):
        ends = np.flatnonzero(place - head >= step)
        if not len(ends):
            break
        found.append(order[ends - step] * len(key) + order[ends])
    for hub in range(HUBS):
        ends = np.flatnonzero(place - head >= max(WINDOW, hub + 1))
        found.append(order[head[ends] + hub] * len(key) + order[ends])
    return np.concatenate(found)
