"""Is one picture a crop, mirror, quarter turn, resize or relighting of another? Align the two, then compare.

A picture is matched to another by a horizontal and a vertical scale and shift, turned by a right angle, mirrored or
neither, found by Gauss–Newton steps from coarse to fine (Lucas, Kanade, 1981; Evangelidis, Psarakis, 2008) with
brightness and contrast solved for in each step. An axis-aligned warp is two small matrix products, so thousands of
pairs go in a batch. What is compared then is the structure where they overlap: the correlation of their luminance, and
that of its gradients, which unlike the former does not let two dark shapes on white pass for one.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from assay.store.machine import cores

SIDE = 64  # pixels of the finest level
COARSE = 16
MIDDLE = 32
STEPS = {COARSE: 8, MIDDLE: 3, SIDE: 2}
GATES = {"start": 0.62, "coarse": 0.75, "middle": 0.68}  # correlations that hardly any pair of one origin stays under
TURNS = tuple((swap, down, across) for swap in (False, True) for down in (1, -1) for across in (1, -1))  # see `turned`
TURN_NAMES = ("upright", "mirrored", "mirrored", "rotated", "mirrored", "rotated", "rotated", "mirrored")  # of `TURNS`
STARTS = (1.0, 0.85, 1.18, 0.7, 1.43)  # scales to start from
N_STARTS = 2  # of all starts and turns, those that are followed
BATCH = 256
FIELDS = ("luminance", "gradient", "overlap", "zoom", "warp")


@dataclass(frozen=True)
class Alignment:
    """How pairs match, each array but the last (m,) float64.

    Attributes:
        luminance: correlation in [−1, 1] over the overlap.
        gradient: correlation of the gradients over the overlap.
        overlap: share of the first picture that the second covers.
        zoom: area of the first picture's frame in the second, over the second's area.
        warp: (m, 4) as in `Match`.
    """

    luminance: np.ndarray
    gradient: np.ndarray
    overlap: np.ndarray
    zoom: np.ndarray
    warp: np.ndarray


@dataclass(frozen=True)
class Match:
    """A coarse match of the pairs that are worth a closer look.

    Attributes:
        pairs: (k,) numbers of these pairs.
        turn: (k,) entry of `TURNS` that the second picture is turned by.
        warp: (k, 4) scale and shift across, scale and shift down.
    """

    pairs: np.ndarray
    turn: np.ndarray
    warp: np.ndarray


def match_coarsely(small: np.ndarray, left: np.ndarray, right: np.ndarray, thorough: bool = False) -> Match:
    """The pairs that may match, under any of `TURNS`.

    Args:
        small: (n, 32, 32) uint8 luminance.
        left, right: (m,) rows.
        thorough: keep hopeless pairs too.
    """

    def one_batch(start: int) -> Match:
        part = slice(start, start + BATCH)
        match = _match(small[left[part]].astype(np.float32), small[right[part]].astype(np.float32), thorough)
        return Match(match.pairs + start, match.turn, match.warp)

    none = Match(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4), np.float32))
    with ThreadPoolExecutor(cores()) as pool:  # NumPy lets go of the interpreter's lock
        found = [none, *pool.map(one_batch, range(0, len(left), BATCH))]
    return Match(*(np.concatenate([getattr(part, name) for part in found]) for name in ("pairs", "turn", "warp")))


def compare_finely(pictures: np.ndarray, left: np.ndarray, right: np.ndarray, match: Match) -> Alignment:
    """How the matched pairs compare at the finest level; arrays as long as `match.pairs`.

    Args:
        pictures: (n, 64, 64) uint8 luminance.
        left, right: (k,) rows, one for each of `match.pairs`.
    """
    found = [Alignment(**{name: np.zeros(0) for name in FIELDS[:-1]}, warp=np.zeros((0, 4)))]
    for start in range(0, len(left), BATCH):
        part = slice(start, start + BATCH)
        one, other = (pictures[ends[part]].astype(np.float32) for ends in (left, right))
        found.append(_refine(one, turned(other, match.turn[part]), match.warp[part], SIDE)[1])
    return Alignment(*(np.concatenate([getattr(part, name) for part in found]) for name in FIELDS))


def refined(one: np.ndarray, other: np.ndarray, steps: int) -> np.ndarray:
    """(m, 4) the warp that lays `other` over `one`, both (m, side, side) float32 and nearly in place already."""
    warp = np.tile(np.array([1, 0, 1, 0], np.float32), (len(one), 1))
    for _ in range(steps):
        warp = _step(one, other, warp)
    return warp


def _match(one: np.ndarray, other: np.ndarray, thorough: bool) -> Match:
    """From coarse to middle; a pair that is far from matching at one level does not go on to the next."""
    small, small_other = _halve(one), _halve(other)
    scores = _start_scores(small, small_other)
    go = np.flatnonzero((scores.max(axis=1) >= GATES["start"]) | thorough)
    turn, warp, luminance = _coarse(small[go], small_other[go], scores[go])
    close = (luminance >= GATES["coarse"]) | thorough
    go, turn, warp = go[close], turn[close], warp[close]
    warp, middle = _refine(one[go], turned(other[go], turn), warp, MIDDLE)
    close = (middle.gradient >= GATES["middle"]) | thorough
    return Match(go[close], turn[close], warp[close])


def _refine(one: np.ndarray, other: np.ndarray, warp: np.ndarray, side: int) -> tuple[np.ndarray, Alignment]:
    """A few steps at one level, and how the pairs compare there."""
    for _ in range(STEPS[side]):
        warp = _step(one, other, warp)
    return warp, _compare(one, other, warp)


def _coarse(one: np.ndarray, other: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best starts, each improved by a few steps: (m,) turn of the better, (m, 4) warp, (m,) luminance."""
    best_turn, best_score = np.zeros(len(one), dtype=int), np.full(len(one), -2.0)
    best_warp = np.ones((len(one), 4), np.float32)
    for candidate in np.argsort(-scores, axis=1, kind="stable")[:, :N_STARTS].T:
        turn, scale = candidate % len(TURNS), np.array(STARTS, dtype=np.float32)[candidate // len(TURNS)]
        start = np.stack([scale, 0 * scale, scale, 0 * scale], axis=1)
        warp, found = _refine(one, turned(other, turn), start, COARSE)
        better = found.luminance > best_score
        best_score[better], best_warp[better], best_turn[better] = found.luminance[better], warp[better], turn[better]
    return best_turn, best_warp, best_score


def turned(pictures: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Each picture turned by its own entry of `TURNS`: rows and columns swapped or not, then steps down and across."""
    result = pictures.copy()
    for i, (swap, down, across) in enumerate(TURNS):
        chosen = pictures[turn == i]
        result[turn == i] = (chosen.transpose(0, 2, 1) if swap else chosen)[:, ::down, ::across]
    return result


def _start_scores(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(m, starts × turns) correlation of `one` with `other` under each fixed warp and turn."""
    m, side, _ = one.shape
    scores = []
    for scale in STARTS:
        warp = np.array([[scale, 0.0, scale, 0.0]], dtype=np.float32)
        moved, inside = _warped(other, warp)
        weights = (inside / inside.sum()).reshape(-1)
        template = one.reshape(m, side * side)
        template = template - _weighted_sum(template, weights)
        norm = _weighted_sum(template**2, weights)
        centred = moved.reshape(m, side * side)
        centred = (centred - _weighted_sum(centred, weights)).reshape(m, side, side)
        scale_of = np.sqrt(np.maximum((norm * _weighted_sum(centred.reshape(m, -1) ** 2, weights))[:, 0], 1e-9))
        for swap, down, across in TURNS:  # the weights are the same under any turn
            other_way = (centred.transpose(0, 2, 1) if swap else centred)[:, ::down, ::across].reshape(m, side * side)
            scores.append(np.einsum("ij,ij,j->i", template, other_way, weights) / scale_of)
    return np.stack(scores, axis=1)


def _weighted_sum(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(m, 1) of each row by itself: a matrix product would round a row differently in other company."""
    return (values * weights).sum(axis=1, keepdims=True)


def _halve(pictures: np.ndarray) -> np.ndarray:
    """Means of 2 × 2 pixels."""
    rows = pictures[:, ::2] + pictures[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 4


def _axis(scale: np.ndarray, shift: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The interpolation matrices (m, side, side) of one axis and which of its pixels fall inside (m, side)."""
    grid = (2 * np.arange(side, dtype=np.float32) + 1) / side - 1
    place = ((scale[:, None] * grid + shift[:, None] + 1) * side - 1) / 2
    inside = ((place > -0.5) & (place < side - 0.5)).astype(np.float32)
    place = np.clip(place, 0, side - 1)
    weights = np.maximum(0, 1 - np.abs(place[:, :, None] - np.arange(side, dtype=np.float32)))
    return weights, inside


def _warped(other: np.ndarray, warp: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    side = other.shape[1]
    across, inside_x = _axis(warp[:, 0], warp[:, 1], side)
    down, inside_y = _axis(warp[:, 2], warp[:, 3], side)
    return down @ other @ across.transpose(0, 2, 1), inside_y[:, :, None] * inside_x[:, None, :]


def _gradients(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences across and down, 0 at the border, per unit of the [−1, 1] frame."""
    side = pictures.shape[1]
    across, down = np.zeros_like(pictures), np.zeros_like(pictures)
    across[:, :, 1:-1] = (pictures[:, :, 2:] - pictures[:, :, :-2]) * (side / 4)
    down[:, 1:-1] = (pictures[:, 2:] - pictures[:, :-2]) * (side / 4)
    return across, down


def _step(one: np.ndarray, other: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """One damped Gauss–Newton step of one ≈ gain × other(warp) + offset."""
    m, side, _ = one.shape
    moved, inside = _warped(other, warp)
    across, down = _gradients(moved)
    grid = (2 * np.arange(side, dtype=np.float32) + 1) / side - 1
    across, down = across / warp[:, 0, None, None], down / warp[:, 2, None, None]
    columns = [across * grid, across, down * grid[:, None], down, moved, np.ones_like(moved)]
    system = np.stack(columns, axis=1).reshape(m, 6, side * side) * inside.reshape(m, 1, side * side)
    target = (one * inside).reshape(m, side * side, 1)
    normal = (system @ system.transpose(0, 2, 1)).astype(np.float64)
    diagonal = np.einsum("mii->mi", normal)
    diagonal += 1e-3 * diagonal + 1e-3
    solved = np.linalg.solve(normal, (system @ target).astype(np.float64))[:, :, 0]
    gain = np.where(np.abs(solved[:, 4]) < 0.1, 0.1, np.abs(solved[:, 4]))
    change = np.clip(solved[:, :4] / gain[:, None], -0.15, 0.15)
    moved_warp = warp + change
    moved_warp[:, [0, 2]] = np.clip(moved_warp[:, [0, 2]], 0.5, 2.0)
    moved_warp[:, [1, 3]] = np.clip(moved_warp[:, [1, 3]], -0.6, 0.6)
    return moved_warp.astype(np.float32)


def _compare(one: np.ndarray, other: np.ndarray, warp: np.ndarray) -> Alignment:
    moved, inside = _warped(other, warp)
    luminance = _weighted_correlation([one], [moved], inside, centred=True)
    gradient = _weighted_correlation(_gradients(one), _gradients(moved), inside, centred=False)
    overlap, zoom = inside.mean(axis=(1, 2), dtype=np.float64), (warp[:, 0] * warp[:, 2]).astype(np.float64)
    return Alignment(luminance, gradient, overlap, zoom, warp)


def _weighted_correlation(
    one: Sequence[np.ndarray], other: Sequence[np.ndarray], weights: np.ndarray, centred: bool
) -> np.ndarray:
    """(m,) correlation over several channels (m, side, side) where `weights` are."""
    shared = own = others = 0.0
    total = np.maximum(weights.sum(axis=(1, 2), keepdims=True), 1.0)
    for a, b in zip(one, other, strict=True):
        if centred:
            a = a - (a * weights).sum(axis=(1, 2), keepdims=True) / total
            b = b - (b * weights).sum(axis=(1, 2), keepdims=True) / total
        shared = shared + (a * b * weights).sum(axis=(1, 2), dtype=np.float64)
        own = own + (a * a * weights).sum(axis=(1, 2), dtype=np.float64)
        others = others + (b * b * weights).sum(axis=(1, 2), dtype=np.float64)
    return shared / np.sqrt(np.maximum(own * others, 1e-9))
