"""Which passages texts have in common, and which of these are so common that they say nothing about a text.

Winnowing (Schleimer, Wilkerson, Aiken 2003): of the hashes of all runs of `RUN` characters the smallest in each window
of `WINDOW` are kept, so two texts that share a passage of `RUN + WINDOW − 1` characters share a fingerprint, wherever
it stands in them. A passage that stands in many texts is a template, a footer, a licence: it is *common*. What is not
common is what two texts may be told the same by.
"""

from dataclasses import dataclass

import numpy as np

from assay.modalities.text.shingles import pairs_of_equal

RUN = 12  # characters
WINDOW = 16  # runs
BLOCK = 4_000_000  # characters at a time
FEWEST_TEXTS = 8  # a passage in fewer texts is not common
COMMON_SHARE = 0.002  # of the texts
PASSAGE = 24  # characters; what is common is at least that long
PARTNERS = 8  # of one passage in one text, beside the first `HUBS` texts with it
HUBS = 2
SHARED = 0.4  # of the rarer fingerprints of the one with fewer, that two texts must share to be compared
NOTHING = np.uint64(2**64 - 1)
PAD = "\0" * WINDOW  # between texts, so that no window sees two


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of n texts, by text and place.

    Attributes:
        text: (m,) int64 the text's number.
        place: (m,) int64 where in it the run begins, in characters.
        value: (m,) uint64.
        n_texts: (m,) int64 in how many of the texts the value stands.
        n: the number of texts.
    """

    text: np.ndarray
    place: np.ndarray
    value: np.ndarray
    n_texts: np.ndarray
    n: int

    @property
    def is_common(self) -> np.ndarray:
        """(m,) bool: in so many texts that it may be part of a common passage."""
        return self.n_texts >= max(FEWEST_TEXTS, COMMON_SHARE * self.n)


def fingerprint(texts: list[str]) -> Fingerprints:
    """The fingerprints of normalised texts. A text shorter than `RUN` has none."""
    found = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint64))]
    start = 0
    while start < len(texts):
        stop, size = start, 0
        while stop < len(texts) and (size == 0 or size + len(texts[stop]) <= BLOCK):
            size += len(texts[stop])
            stop += 1
        text, place, value = _winnow(texts[start:stop])
        found.append((text + start, place, value))
        start = stop
    text, place, value = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return Fingerprints(text, place, value, _document_frequency(text, value), len(texts))


def _winnow(texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(text, place, value)` of the fingerprints of some texts."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    starts = np.cumsum(lengths + WINDOW) - lengths - WINDOW
    characters = np.frombuffer((PAD.join(texts) + PAD).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    n = max(len(characters) - RUN + 1, 0)
    text = np.repeat(np.arange(len(texts)), lengths + WINDOW)[:n]
    fits = np.arange(n) + RUN <= (starts + lengths)[text]
    hashes = np.where(fits, _hash_runs(characters, n), NOTHING)
    # the smallest of the runs from each on, then the largest of these up to each: equal to its own where it is chosen
    smallest = _sliding(hashes, np.minimum, NOTHING)
    smallest[~fits] = 0
    chosen = np.flatnonzero(fits & (_sliding(smallest[::-1], np.maximum, np.uint64(0))[::-1] == hashes))
    return text[chosen], chosen - starts[text[chosen]], hashes[chosen]


def _hash_runs(characters: np.ndarray, n: int) -> np.ndarray:
    """(n,) uint64 hash of the run that begins at each character."""
    value = np.zeros(n, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for i in range(RUN):
            value = value * np.uint64(0x100000001B3) + characters[i : i + n]
        value = (value ^ (value >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return np.minimum(value ^ (value >> np.uint64(32)), NOTHING - np.uint64(1))


def _sliding(values: np.ndarray, choose: np.ufunc, filler: np.uint64) -> np.ndarray:
    """The smallest or largest of each value and the `WINDOW` − 1 that follow."""
    best, step = values.copy(), 1
    while step < WINDOW:
        shifted = np.concatenate([best[step:], np.full(min(step, len(best)), filler)])
        best = choose(best, shifted)
        step *= 2
    return best


def _document_frequency(text: np.ndarray, value: np.ndarray) -> np.ndarray:
    """(m,) int64: the number of texts that have each fingerprint's value."""
    order = np.lexsort((text, value))
    text, value = text[order], value[order]
    is_new = np.ones(len(value), dtype=bool)
    is_new[1:] = value[1:] != value[:-1]
    is_text = is_new.copy()
    is_text[1:] |= text[1:] != text[:-1]
    of = np.cumsum(is_new) - 1
    counts = np.zeros(len(value), dtype=np.int64)
    counts[order] = np.bincount(of, weights=is_text)[of].astype(np.int64) if len(of) else 0
    return counts


def common_spans(found: Fingerprints, lengths: np.ndarray) -> dict[int, list[tuple[int, int]]]:
    """The common passages of each text that has any: `{text: [(begin, end), …]}`, in characters, in order.

    Args:
        lengths: (n,) characters of each text.
    """
    at = np.flatnonzero(found.is_common)
    if not len(at):
        return {}
    text, begin = found.text[at], found.place[at]
    goes_on = np.zeros(len(at), dtype=bool)  # the next fingerprint of the text, and no rare one between
    goes_on[1:] = (text[1:] == text[:-1]) & (at[1:] == at[:-1] + 1) & (begin[1:] - begin[:-1] <= RUN + WINDOW)
    first = np.flatnonzero(~goes_on)
    last = np.append(first[1:], len(at)) - 1
    spans: dict[int, list[tuple[int, int]]] = {}
    for one, low, high in zip(text[first].tolist(), begin[first].tolist(), (begin[last] + RUN).tolist(), strict=True):
        if high - low >= PASSAGE:
            spans.setdefault(one, []).append((low, high))
    return {one: _to_the_edges(parts, int(lengths[one])) for one, parts in spans.items()}


def _to_the_edges(spans: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Spans that end less than a window from the text's own ends reach them: no fingerprint stands in between."""
    (low, end), (begin, high) = spans[0], spans[-1]
    spans[0] = (0 if low < WINDOW else low, end)
    begin = spans[-1][0]
    spans[-1] = (begin, length if length - high < WINDOW else high)
    return spans


def passage_pairs(found: Fingerprints) -> tuple[np.ndarray, np.ndarray]:
    """Pairs `left < right` of texts that share a good part of what is not common in the shorter one, sorted."""
    rare = ~found.is_common & (found.n_texts > 1)
    text, value = found.text[rare], found.value[rare]
    ends = np.divmod(pairs_of_equal(value, PARTNERS, HUBS), max(len(value), 1))
    low, high = np.minimum(text[ends[0]], text[ends[1]]), np.maximum(text[ends[0]], text[ends[1]])
    apart = low != high
    packed, shared = np.unique(low[apart] * found.n + high[apart], return_counts=True)
    left, right = np.divmod(packed, max(found.n, 1))
    own = np.bincount(found.text[~found.is_common], minlength=found.n)
    close = shared >= SHARED * np.minimum(own[left], own[right])
    return left[close], right[close]
