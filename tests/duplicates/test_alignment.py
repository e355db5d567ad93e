"""Aligning pictures, and what confirms a pair."""

import numpy as np
import pytest
from PIL import Image

from assay.modalities.image.alignment import TURNS, compare_finely, match_coarsely, turned
from assay.modalities.image.luminance import luminance_matrix, similarity_in_place
from assay.modalities.image.pictures import MIN_OVERLAP, decode_pictures, misfit, turn_hashes
from tests.duplicates.test_dedup import scenes


def gray(picture: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).convert("L").resize((side, side), Image.Resampling.BILINEAR))


def both_sizes(pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([gray(p, 32) for p in pictures]), np.stack([gray(p, 64) for p in pictures])


def compare(pictures: list[np.ndarray], left: list[int], right: list[int], thorough: bool = True):
    small, fine = both_sizes(pictures)
    left, right = np.array(left), np.array(right)
    match = match_coarsely(small, left, right, thorough)
    return match, compare_finely(fine, left[match.pairs], right[match.pairs], match)


def test_a_crop_is_measured():
    """Scale and overlap come out as the crop was made: 80% of each side, seen from either end."""
    picture = scenes(1)[0]
    crop = picture[8:72, 10:86]  # 0.8 of 80 rows, 0.79 of 96 columns
    match, found = compare([picture, crop], [1, 0], [0, 1])
    assert match.warp[0, [0, 2]] == pytest.approx([76 / 96, 64 / 80], abs=0.03)
    assert match.warp[1, [0, 2]] == pytest.approx([96 / 76, 80 / 64], abs=0.05)
    assert found.overlap == pytest.approx([1.0, 0.8 * 76 / 96], abs=0.06)
    assert (misfit(found) < 0.04).all()


@pytest.mark.parametrize("turn", range(len(TURNS)))
def test_turns_are_told(turn):
    """The turn that was made is undone by the one that is found, mirrored, upside down or by a right angle."""
    picture = scenes(1, seed=3)[0]
    swap, down, across = TURNS[turn]
    changed = np.ascontiguousarray((picture.transpose(1, 0, 2) if swap else picture)[::down, ::across])
    match, found = compare([picture, changed], [0], [1])
    assert misfit(found)[0] < 0.01
    back = turned(gray(changed, 32)[None], match.turn)[0]
    assert np.abs(back.astype(int) - gray(picture, 32)).mean() < 3


def test_equal_pictures_match_and_different_ones_do_not():
    """Misfit is near 0 for a picture and itself, and far from it for any two scenes."""
    pictures = scenes(12)
    _, same = compare(pictures, list(range(12)), list(range(12)))
    left, right = np.triu_indices(12, 1)
    _, different = compare(pictures, left.tolist(), right.tolist())
    assert misfit(same).max() < 1e-3 and misfit(different).min() > 0.15


def test_gates_only_drop_what_does_not_match():
    """A hasty look keeps every pair that the thorough one finds to match, with the same result."""
    pictures = scenes(6) + [p[4:76, 5:90] for p in scenes(6)]
    left, right = np.triu_indices(12, 1)
    thorough, found = compare(pictures, left.tolist(), right.tolist())
    hasty, found_hastily = compare(pictures, left.tolist(), right.tolist(), thorough=False)
    matching = set(thorough.pairs[misfit(found) < 0.06].tolist())
    assert len(matching) == 6 and matching <= set(hasty.pairs.tolist()) and len(hasty.pairs) < len(left)
    kept = np.isin(thorough.pairs, hasty.pairs)
    assert misfit(found)[kept] == pytest.approx(misfit(found_hastily), abs=1e-6)


def test_a_small_cut_out_is_not_the_picture():
    """Less than the least overlap is a misfit of 1, however well it matches."""
    picture = scenes(1)[0]
    _, found = compare([picture, picture[20:60, 24:72]], [0], [1])
    assert found.overlap[0] < MIN_OVERLAP and misfit(found)[0] == 1.0


def test_blank_pictures_match_nothing():
    """A picture without structure has no correlation to speak of, and raises nothing."""
    blank = np.full((80, 96, 3), 128, dtype=np.uint8)
    _, found = compare([blank, blank, scenes(1)[0]], [0, 0], [1, 2])
    assert (misfit(found) > 0.5).all()


def test_no_pairs():
    """Nothing to compare is no error."""
    match, found = compare(scenes(1), [], [])
    assert len(match.pairs) == len(misfit(found)) == 0


def test_similarity_in_place_equals_its_formula():
    """1 − √((1 − c)(1 − g)) with NumPy's own correlations, pair by pair."""
    small = np.stack([gray(p, 32) for p in scenes(5)])
    left, right = np.triu_indices(5)
    found = similarity_in_place(small.reshape(5, -1), left, right)
    for value, i, j in zip(found, left, right, strict=True):
        one, other = small[i].astype(float), small[j].astype(float)
        c = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        a, b = (np.concatenate([np.diff(p, axis=1).ravel(), np.diff(p, axis=0).ravel()]) for p in (one, other))
        g = a @ b / np.sqrt((a @ a) * (b @ b))
        assert value == pytest.approx(1 - np.sqrt((1 - max(c, 0)) * (1 - max(g, 0))), abs=1e-5)


def test_flat_pictures_in_place():
    """Two blank pictures are as alike as their levels; a blank one is never like one that shows something."""
    levels = np.stack([np.full(1024, 10), np.full(1024, 12), np.full(1024, 60)]).astype(np.uint8)
    rows = np.concatenate([levels, gray(scenes(1)[0], 32).reshape(1, -1)])
    found = similarity_in_place(rows, np.array([0, 0, 0]), np.array([1, 2, 3]))
    assert found.tolist() == pytest.approx([1 - 2 / 255, 0.0, 0.0])


def test_turn_hashes_are_the_hashes_of_turned_pictures():
    """The eight hashes of a picture are the upright hashes of its eight turns, up to rounding at the median."""
    small = np.stack([gray(p, 32) for p in scenes(20)])
    hashes = turn_hashes(small.reshape(20, -1))
    for turn in range(len(TURNS)):
        upright = turn_hashes(turned(small, np.full(20, turn)).reshape(20, -1))[0]
        expected = hashes[turn]
        assert np.bitwise_count(upright ^ expected).max() <= 2


def test_unreadable_facts():
    """No pictures, and a sample without a thumbnail."""
    import polars as pl

    assert luminance_matrix([]).shape == (0, 1024)
    assert decode_pictures(pl.Series([None, b""], dtype=pl.Binary)).sum() == 0
