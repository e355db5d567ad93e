"""Pairs of close hashes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.modalities import hamming
from assay.modalities.hamming import HUBS, WINDOW, close_pairs


def brute_force(hashes: np.ndarray, bits: int) -> set[tuple[int, int]]:
    """Every pair within `bits`, one by one."""
    numbers = [int(h) for h in hashes]
    return {
        (i, j)
        for i in range(len(numbers))
        for j in range(i + 1, len(numbers))
        if (numbers[i] ^ numbers[j]).bit_count() <= bits
    }


def as_set(pairs: tuple[np.ndarray, np.ndarray]) -> set[tuple[int, int]]:
    return set(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True))


@st.composite
def clustered_hashes(draw):
    """A few random hashes, each with copies that differ in up to ten bits."""
    seeds = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=8))
    flips = st.lists(st.integers(0, 63), max_size=10)
    copies = draw(st.lists(st.tuples(st.sampled_from(seeds), flips), max_size=25))
    values = list(seeds)
    for seed, bits in copies:
        for bit in bits:
            seed ^= 1 << bit
        values.append(seed)
    return np.array(values, dtype=np.uint64)


@settings(max_examples=60)
@given(clustered_hashes(), st.integers(0, 16), st.integers(0, 3))
def test_equals_brute_force(hashes, bits, t):
    """Every number of matched blocks finds the pairs that comparing all with all finds."""
    original = hamming._cheapest
    hamming._cheapest = lambda n, b: t
    try:
        assert as_set(close_pairs(hashes, bits)) == brute_force(hashes, bits)
    finally:
        hamming._cheapest = original


@pytest.mark.parametrize("bits", [0, 4, 16])
def test_many_hashes_equal_brute_force(bits):
    """A thousand hashes, half of them one to six bits from the other half."""
    rng = np.random.default_rng(bits)
    hashes = rng.integers(0, 2**64, 500, dtype=np.uint64)
    noise = np.zeros(500, dtype=np.uint64)
    for _ in range(6):
        noise |= np.uint64(1) << rng.integers(0, 64, 500).astype(np.uint64)
    assert as_set(close_pairs(np.concatenate([hashes, hashes ^ noise]), bits)) == brute_force(
        np.concatenate([hashes, hashes ^ noise]), bits
    )


def test_pairs_are_sorted_and_once_each():
    """The result does not depend on how the pairs were come by."""
    hashes = np.random.default_rng(0).integers(0, 4, 40).astype(np.uint64)
    left, right = close_pairs(hashes, 2)
    packed = left * 40 + right
    assert (left < right).all() and (np.diff(packed) > 0).all()


@pytest.mark.parametrize("n", [0, 1])
def test_too_few(n):
    """Nothing to pair is no error."""
    left, right = close_pairs(np.zeros(n, dtype=np.uint64), 4)
    assert len(left) == len(right) == 0


def test_equal_hashes_meet_the_first_ones_only():
    """3,000 equal hashes make pairs in proportion to their number, and everyone meets the first."""
    left, right = close_pairs(np.full(3000, 7, dtype=np.uint64), 4)
    assert len(left) < HUBS * 3000
    assert set(right[left == 0].tolist()) == set(range(1, 3000))


def test_crowded_keys_stay_bounded():
    """20,000 hashes that agree on all but their last bits are searched within a window, not all with all."""
    hashes = np.arange(20_000, dtype=np.uint64) << np.uint64(40)
    left, _ = close_pairs(hashes, 1)
    assert 0 < len(left) <= 20_000 * WINDOW
