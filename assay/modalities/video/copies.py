"""What tells copies of a video: equal frames in any file; sequences of small pictures that agree at the best lag."""

import functools

import numpy as np
import numpy.typing as npt
import polars as pl

from assay.knn.blocked import blocked_knn
from assay.modalities.tier import Tier, codes
from assay.modalities.video.facts import MATCH_SIDE
from assay.modalities.video.matching import Floats, match
from assay.store.tables import TableReader
from assay.store.units import to_unit_length

CONFIRMED = 0.9  # agreement; two takes of one movement by one camera come to .87 at most
CONTAINED = 0.5  # of the longer video: what is shorter is a part of it, not a copy
CANDIDATES = 10  # videos that look most like one
ALIKE = 0.8  # cosine of looks below which no copy is looked for
CELLS = MATCH_SIDE * MATCH_SIDE
KEPT = 4_096  # sequences that are held in memory

Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def frames_tier(facts: pl.DataFrame) -> Tier:
    """Videos whose every frame is equal; copies that differ wait for the tiers after the vectors.

    Args:
        facts: a row per sample with `video_hash`, null where there is no fact.
    """
    none = np.zeros(0, dtype=np.int64)
    return Tier(
        "pixels",
        "embedding",
        codes(facts["video_hash"]),
        lambda rows: (none, none, np.zeros(0)),
        lambda left, right: np.zeros(len(left)),
    )


class Videos:
    """Confirms pairs of samples on their sequences, as they are and mirrored.

    Candidates are close vectors and, for a mirrored picture has another vector, close looks: the mean picture and the
    amount of movement in each cell, left and right added up.
    """

    method = 1
    rings = ((10, 2.0),)

    def __init__(self, samples: pl.DataFrame, tables: TableReader) -> None:
        wanted = samples.select("content_hash")
        facts = tables.scan("video_facts").select("content_hash", "luminance")
        found = facts.join(wanted.lazy().unique(), on="content_hash", how="semi").collect().unique("content_hash")
        joined = wanted.join(found, on="content_hash", how="left", maintain_order="left")
        self._stored = joined["luminance"]
        self._read = functools.lru_cache(KEPT)(self._sequence)
        self._matched: dict[tuple[int, int], tuple[float, str]] = {}

    def look_alikes(self, rows: npt.NDArray[np.int64]) -> Pairs:
        """Pairs of `rows` that look alike, as they are or mirrored."""
        rows = rows[self._stored.gather(rows).is_not_null().to_numpy()]
        if len(rows) < 2:
            return rows[:0], rows[:0]
        looks = to_unit_length(np.stack([looks_of(self._sequence(row)) for row in rows.tolist()]).astype(np.float32))
        near, cosine = blocked_knn(looks, min(CANDIDATES, len(rows) - 1))
        left = np.repeat(rows, near.shape[1])[cosine.ravel() >= ALIKE]
        right = rows[near.ravel()[cosine.ravel() >= ALIKE]]
        pairs = np.unique(np.stack([np.minimum(left, right), np.maximum(left, right)], axis=1), axis=0)
        return pairs[:, 0], pairs[:, 1]

    def similarity(self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> Floats:
        """(m,) in [0, 1] of pairs of rows; 0 where a video has no sequence."""
        return np.array([self._match(a, b)[0] for a, b in zip(left.tolist(), right.tolist(), strict=True)])

    def tiers(self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
        """(m,) `altered`, `mirrored`, or `contained` where one is a small part of the other."""
        found = [self._match(a, b)[1] for a, b in zip(left.tolist(), right.tolist(), strict=True)]
        return np.array(found, dtype=object)

    def typical(self, left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> dict[str, float]:
        """Nothing: the similarity is absolute."""
        return {}

    def least(self, reference: dict[str, float]) -> float:
        """The agreement that confirms a pair."""
        return CONFIRMED

    def _sequence(self, row: int) -> Floats:
        return as_sequence(self._stored[row])

    def _match(self, a: int, b: int) -> tuple[float, str]:
        pair = min(a, b), max(a, b)
        if pair not in self._matched:
            self._matched[pair] = compare(self._read(pair[0]), self._read(pair[1]))
        return self._matched[pair]


def compare(one: Floats, other: Floats) -> tuple[float, str]:
    """The agreement of two sequences (t, cells), and the tier of such a pair."""
    upright, mirrored = match(one, other), match(one, flipped(other))
    short, long = sorted((len(one), len(other)))
    tier = "contained" if short < CONTAINED * long else "mirrored" if mirrored > upright else "altered"
    return max(upright, mirrored), tier


def as_sequence(data: bytes | None) -> Floats:
    """float64 (t, cells) of the stored bytes."""
    return np.frombuffer(data or b"", dtype=np.uint8).reshape(-1, CELLS).astype(np.float64)


def flipped(sequence: Floats) -> Floats:
    """Left for right."""
    return sequence.reshape(-1, MATCH_SIDE, MATCH_SIDE)[:, :, ::-1].reshape(len(sequence), CELLS)


def looks_of(sequence: Floats) -> Floats:
    """(cells,) what a video and its mirrored copy have in common: the mean picture and the movement, each added up left
    and right, about its own mean and of equal weight."""
    halves = (sequence + flipped(sequence)).reshape(-1, MATCH_SIDE, MATCH_SIDE)[:, :, : MATCH_SIDE // 2] / 2.0
    parts = [part.ravel() - part.mean() for part in (halves.mean(axis=0), halves.std(axis=0))]
    return np.concatenate([part / (np.linalg.norm(part) + 8.0) for part in parts])
