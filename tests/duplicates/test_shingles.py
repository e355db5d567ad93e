"""Text similarity and MinHash bands."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.modalities.text.shingles import HUBS, WINDOW, band_pairs, band_rows, jaccard, minhashes, shingles


@given(st.text(max_size=40), st.text(max_size=40))
def test_jaccard_equals_its_definition(one, other):
    """Shared ÷ all shingles; symmetric; 1 with itself unless there are no shingles."""
    a, b = shingles(one), shingles(other)
    expected = len(a & b) / len(a | b) if a & b else 0.0
    pairs = np.array([0, 1, 0]), np.array([1, 0, 0])
    assert jaccard([one, other], *pairs).tolist() == pytest.approx([expected, expected, 1.0 if a else 0.0])


def test_shingles_see_neither_case_nor_form_nor_blanks():
    """Full-width letters, case and runs of blanks are normalised away; a short text is its own shingle."""
    assert shingles("ＨＥＬＬＯ   World") == shingles("hello world\n")
    assert shingles("abc") == {"abc"} and shingles(" \t") == frozenset()


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 0.95])
def test_band_rows_keep_the_promise(threshold):
    """At the threshold the chance to miss a pair is at most half a percent, and one more row would break that."""
    rows = band_rows(128, threshold)
    miss = [(1 - threshold**r) ** (128 // r) for r in (rows, rows + 1)]
    assert miss[0] <= 0.005 and (miss[1] > 0.005 or rows == 128)


def test_bands_find_what_all_pairs_find():
    """Of 300 texts with edited copies, every pair of true similarity 0.8 is among the proposed ones."""
    rng = np.random.default_rng(0)
    words = np.array("card pin transfer top up fee rate euro dollar bank account help lost stolen cash".split())
    texts = [" ".join(rng.choice(words, 14)) for _ in range(150)]
    texts += [t[: int(rng.integers(len(t) - 6, len(t)))] for t in texts]
    left, right = np.triu_indices(300, 1)
    true = jaccard(texts, left, right) >= 0.8
    found = set(
        zip(*(ends.tolist() for ends in band_pairs(np.array(minhashes(texts), dtype=np.uint32), 0.8)), strict=True)
    )
    wanted = set(zip(left[true].tolist(), right[true].tolist(), strict=True))
    assert len(wanted) >= 100 and len(wanted - found) <= 0.02 * len(wanted)
    assert len(found) < len(left) / 10


def test_equal_signatures_stay_bounded():
    """2,000 texts with one signature: pairs in proportion to their number, and the first meets all."""
    left, right = band_pairs(np.ones((2000, 128), dtype=np.uint32), 0.8)
    assert len(left) <= 2000 * (WINDOW + HUBS) and set(right[left == 0].tolist()) == set(range(1, 2000))
