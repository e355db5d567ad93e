"""Log-mel spectrograms, in NumPy."""

import functools

import numpy as np

WINDOW_SECONDS = 0.032
FLOOR_DB = 30.0  # under the clip's own peak: what lies deeper is noise, and says nothing of the clip


def stft_power(samples: np.ndarray, width: int, size: int, starts: np.ndarray) -> np.ndarray:
    """Power spectra of Hann windows of `width` samples from `starts`: float32 (frames, size // 2 + 1)."""
    samples = np.pad(samples, (0, max(0, int(starts[-1]) + width - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, width)[starts]
    return np.square(np.abs(np.fft.rfft(frames * _hann(width), size, axis=1))).astype(np.float32)


@functools.cache
def _hann(size: int) -> np.ndarray:
    return np.hanning(size).astype(np.float32)


def in_mel(hertz: float | np.ndarray) -> np.ndarray:
    """Hertz on the mel scale."""
    return 2595.0 * np.log10(1.0 + np.asarray(hertz) / 700.0)


def bands_below(rate: int, bands: int, highest: float) -> int:
    """How many of the bands lie well below half the rate, where a resampling filter leaves them alone."""
    edges = np.linspace(0.0, in_mel(highest), bands + 2)
    return int((edges[2:] <= in_mel(0.45 * rate)).sum())


@functools.lru_cache(maxsize=32)
def mel_filters(rate: int, size: int, bands: int, highest: float) -> np.ndarray:
    """Triangular filters (size // 2 + 1, bands) up to `highest` Hz, evenly spaced in mel (O'Shaughnessy 1987), the
    same at every rate: bands above half the rate are empty."""
    edges = np.linspace(0.0, in_mel(highest), bands + 2)
    place = in_mel(np.linspace(0.0, rate / 2, size // 2 + 1))[:, None]
    rising = (place - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - place) / np.diff(edges)[1:]
    filters = np.clip(np.minimum(rising, falling), 0.0, None)
    return (filters / np.maximum(filters.sum(axis=0), 1e-9)).astype(np.float32)


def log_mel(
    samples: np.ndarray, rate: int, bands: int, hop_seconds: float, highest: float, floor_db: float = FLOOR_DB
) -> np.ndarray:
    """Decibels above a floor `floor_db` under the clip's peak, so 0 … `floor_db`: float32 (frames, bands).

    A clip of zeros is 0 everywhere. Independent of gain.
    """
    width = max(16, round(rate * WINDOW_SECONDS))
    size = 1 << int(np.ceil(np.log2(width)))
    steps = max(1, int((len(samples) - width) / (rate * hop_seconds)) + 1)
    starts = np.rint(np.arange(steps) * rate * hop_seconds).astype(np.int64)
    energy = stft_power(samples, width, size, starts) @ mel_filters(rate, size, bands, highest)
    peak = float(energy.max(initial=0.0))
    if peak <= 1e-12:
        return np.zeros(energy.shape, dtype=np.float32)
    decibels = 10.0 * np.log10(np.maximum(energy / peak, 10.0 ** (-floor_db / 10.0)))
    return (decibels + floor_db).astype(np.float32)


def without_ends(spectrogram: np.ndarray, floor_db: float) -> np.ndarray:
    """The spectrogram (t, bands) of `log_mel` from the first to the last frame within `FLOOR_DB` of the peak."""
    loud = np.flatnonzero(spectrogram.max(axis=1) > floor_db - FLOOR_DB)
    return spectrogram[loud[0] : loud[-1] + 1] if len(loud) else spectrogram


def squeezed(spectrogram: np.ndarray, frames: int) -> np.ndarray:
    """The spectrogram (t, bands) in `frames` steps of time, by linear interpolation: float32 (frames, bands)."""
    place = np.linspace(0.0, len(spectrogram) - 1, frames)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, len(spectrogram) - 1)
    share = (place - low)[:, None].astype(np.float32)
    return spectrogram[low] * (1 - share) + spectrogram[high] * share
