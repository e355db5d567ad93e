"""What tells copies of a sound: equal samples in any file; spectrograms that agree at the best lag."""

import numpy as np
import polars as pl

from assay.modalities.audio.facts import MATCH_BANDS, MATCH_HIGHEST
from assay.modalities.audio.mel import bands_below
from assay.store.tables import TableReader

CONFIRMED = 0.987  # correlation
MOST_LAG = 100  # steps of 10 ms
FEWEST_BANDS = 10
OVERLAP = 0.7  # of the shorter sound at least


class Sounds:
    """Confirms pairs of samples on their log-mel spectrograms, floored under each clip's peak.

    Gain, noise, resampling and a shift of up to a second leave the correlation of a copy near 1.
    """

    method = 1
    rings = ((10, 3.0),)

    def __init__(self, samples: pl.DataFrame, tables: TableReader) -> None:
        wanted = samples.select("content_hash")
        facts = tables.scan("audio_facts").select("content_hash", "spectrogram", "rate")
        found = facts.join(wanted.lazy().unique(), on="content_hash", how="semi").collect().unique("content_hash")
        self._stored = wanted.join(found, on="content_hash", how="left", maintain_order="left")

    def similarity(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """(m,) float64 in [0, 1] of pairs of rows; 0 where a sound has no spectrogram or nothing in it."""
        rows = np.union1d(left, right)
        stored = self._stored[rows].select("spectrogram", "rate").iter_rows()
        read = {row: as_spectrogram(*fact) for row, fact in zip(rows.tolist(), stored, strict=True)}
        return np.array([match(read[a], read[b]) for a, b in zip(left.tolist(), right.tolist(), strict=True)])

    def typical(self, left: np.ndarray, right: np.ndarray) -> dict[str, float]:
        """Nothing: the similarity is absolute."""
        return {}

    def least(self, reference: dict[str, float]) -> float:
        """The correlation that confirms a pair."""
        return CONFIRMED


def as_spectrogram(data: bytes | None, rate: int | None) -> np.ndarray:
    """float32 (frames, bands) of the stored bytes: those bands that the rate can hold."""
    whole = np.frombuffer(data or b"", dtype=np.uint8).reshape(-1, MATCH_BANDS).astype(np.float32)
    return whole[:, : bands_below(rate or 1, MATCH_BANDS, MATCH_HIGHEST)]


def match(one: np.ndarray, other: np.ndarray) -> float:
    """The highest correlation of two spectrograms (t, bands) over shifts in time, 0 … 1; lags that leave less than
    `OVERLAP` of the shorter are not tried."""
    if min(len(one), len(other)) < 5 or abs(len(one) - len(other)) > MOST_LAG:
        return 0.0
    bands = min(one.shape[1], other.shape[1])
    if bands < FEWEST_BANDS:
        return 0.0
    one, other = one[:, :bands], other[:, :bands]
    between = (other[:-1] + other[1:]) / 2.0  # the other, half a step later
    return max(_best_lag(one, other), _best_lag(one, between))


def _best_lag(one: np.ndarray, other: np.ndarray) -> float:
    best = 0.0
    least = OVERLAP * min(len(one), len(other))
    for lag in range(-MOST_LAG, MOST_LAG + 1):
        a, b = one[max(0, lag) :], other[max(0, -lag) :]
        length = min(len(a), len(b))
        if length >= least:
            best = max(best, correlation(a[:length].ravel(), b[:length].ravel()))
    return best


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's, 0 where one of them is constant."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0
