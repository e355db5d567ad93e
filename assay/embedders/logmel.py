"""Principal components of log-mel patches, fitted on the dataset: sounds without weights, in seconds.

A sound is a spectrogram of 16 steps of time by 40 mel bands up to 8 kHz, in decibels above a floor under its peak, so
gain does not count. It reaches from the first to the last frame within 30 dB of the peak: silence around a sound does
not count either. Its own mean is taken off, and the rest projected on the leading eigenvectors of the dataset's.

Without the silence a linear probe tells the digits of FSDD at .955, with it at .925; strange sounds planted among them
have an average precision of .89 as outliers, with it .06. Components divided by the root of their spread reach .973,
and lose the strange sounds (.09).
"""

import numpy as np

from assay.contracts.spec import Spec
from assay.embedders.base import Collect
from assay.embedders.basis import Basis
from assay.embedders.pca import Components, leading_axes
from assay.modalities.audio.decode import decode
from assay.modalities.audio.mel import log_mel, squeezed, without_ends

STEPS, BANDS, HOP, HIGHEST, FLOOR_DB = 16, 40, 0.01, 8_000.0, 60.0
DIMENSIONS = 128
STILL = 20.0  # a last, constant dimension: where a sound without any contrast points; decibels × √640 ÷ 25


class LogMel(Components):
    """`patch(sound) @ components`, then `STILL`; float32."""

    def __init__(self, spec: Spec, basis: Basis) -> None:
        super().__init__(basis)
        self._max_seconds = spec.clean.max_seconds
        self._wanted = spec.embed.dimensions or DIMENSIONS
        self.batch_size = spec.embed.batch_size or 256

    def prepare(self, item: bytes) -> np.ndarray:
        """float32 (640,) of a sound's bytes. Raises `UnreadableSample`."""
        sound = decode(item, self._max_seconds)
        return patch(sound.mono(), sound.rate)

    def launch(self, batch: np.ndarray, n: int) -> Collect:
        """Vectors of the first `n` prepared sounds."""
        assert self._components is not None, "load first"
        vectors = np.hstack([batch @ self._components, np.full((len(batch), 1), STILL, dtype=np.float32)])
        return lambda: vectors[:n].astype(np.float32)

    def fit(self, prepared: list[np.ndarray]) -> None:
        """Eigenvectors of the second moments of the patches."""
        self.basis.save(components=leading_axes(np.stack(prepared), max(1, self._wanted - 1)))


def patch(mono: np.ndarray, rate: int) -> np.ndarray:
    """float32 (640,): the squeezed log-mel spectrogram about its own mean."""
    spectrogram = without_ends(log_mel(mono, rate, BANDS, HOP, HIGHEST, FLOOR_DB), FLOOR_DB)
    values = squeezed(spectrogram, STEPS).ravel()
    return values - values.mean()
