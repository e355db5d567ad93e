"""All pairs of 64-bit hashes within a few bits, by multi-index hashing instead of all pairs.

Two hashes that differ in at most b bits agree on at least t of any b + t blocks, so the hashes sorted by each choice of
t blocks bring every such pair together (Norouzi, Punjani, Fleet, 2012). t is chosen to make the whole cheapest.
"""

from itertools import combinations, pairwise
from math import comb

import numpy as np

WINDOW = 2_000  # in a longer run of equal keys each hash meets this many next ones only
HUBS = 16  # of the samples with one hash, this many first ones meet all the others
BLOCK = 4_096  # rows of a brute-force block


def close_pairs(hashes: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs `left < right` of entries whose hashes differ in at most `bits` bits, sorted.

    Args:
        hashes: (n,) uint64.

    Of more than `HUBS` entries with one hash only the first `HUBS` are paired with the rest, and runs of more than
    `WINDOW` equal keys are searched within that window: pathological data stays near n log n.
    """
    values, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    members = np.argsort(inverse, kind="stable").astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    shared = np.flatnonzero(counts > 1)
    one, other = close_values(values, bits)
    first = np.concatenate([shared, one, other])
    second = np.concatenate([shared, other, one])
    a, b = _product(starts[first], np.minimum(counts[first], HUBS), starts[second], counts[second])
    a, b = members[a], members[b]
    pairs = np.unique(np.minimum(a, b) * len(hashes) + np.maximum(a, b)) if len(a) else a
    left, right = np.divmod(pairs, max(len(hashes), 1))
    return left[left < right], right[left < right]


def close_values(values: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of the sorted distinct `values` that differ in at most `bits` bits."""
    if bits == 0 or len(values) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    t = _cheapest(len(values), bits)
    if t == 0:
        return _all_pairs(values, bits)
    edges = np.linspace(0, 64, bits + t + 1).round().astype(int)
    blocks = [((1 << int(high)) - 1) ^ ((1 << int(low)) - 1) for low, high in pairwise(edges)]
    found = [_pairs_with_equal_key(values, np.uint64(sum(chosen)), bits) for chosen in combinations(blocks, t)]
    pairs = np.unique(np.concatenate(found))
    return np.divmod(pairs, len(values))


def _cheapest(n: int, bits: int) -> int:
    """The number of blocks to match, by expected comparisons; 0 for all pairs."""
    costs = {0: n * n / 16}  # a comparison in a dense block is some eight times cheaper
    for t in range(1, 5):
        bits_matched = 64 * t / (bits + t)
        costs[t] = comb(bits + t, t) * (8 * n + n * n / 2 ** (bits_matched + 1))
    return min(costs, key=lambda blocks: costs[blocks])


def _all_pairs(values: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    found = []
    for start in range(0, len(values), BLOCK):
        rows = values[start : start + BLOCK]
        for other in range(start, len(values), BLOCK):
            close = np.bitwise_count(rows[:, None] ^ values[None, other : other + BLOCK]) <= bits
            i, j = np.nonzero(close)
            keep = i + start < j + other
            found.append((i[keep] + start) * len(values) + j[keep] + other)
    return np.divmod(np.sort(np.concatenate(found)), len(values))


def _pairs_with_equal_key(values: np.ndarray, mask: np.uint64, bits: int) -> np.ndarray:
    """Pairs within `bits` among the values that agree under `mask`, packed as left × n + right."""
    key = values & mask
    order = np.argsort(key, kind="stable")
    key, sorted_values = key[order], values[order]
    active = np.flatnonzero(key[:-1] == key[1:])
    found = [np.zeros(0, np.int64)]
    for step in range(1, WINDOW):
        if not len(active):
            break
        close = active[np.bitwise_count(sorted_values[active] ^ sorted_values[active + step]) <= bits]
        a, b = order[close], order[close + step]
        found.append(np.minimum(a, b) * len(values) + np.maximum(a, b))
        active = active[active + step + 1 < len(key)]
        active = active[key[active] == key[active + step + 1]]
    return np.concatenate(found)


def _product(
    starts_a: np.ndarray, counts_a: np.ndarray, starts_b: np.ndarray, counts_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Row by row, every pair of the ranges starts_a + counts_a and starts_b + counts_b."""
    sizes = counts_a * counts_b
    row = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return starts_a[row] + within // counts_b[row], starts_b[row] + within % counts_b[row]
