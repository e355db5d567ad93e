"""Ways to alter a sound so that a detector ought to notice: bytes of a file in, bytes of a wav file out."""

import io
import math

import numpy as np
import soundfile

from assay.modalities.audio.decode import RATES, decode


def as_is(content: bytes, _: np.random.Generator) -> bytes:
    """The same bytes."""
    return content


def quieter(content: bytes, rng: np.random.Generator) -> bytes:
    """A quarter to a half as loud."""
    samples, rate = _read(content)
    return _wav(samples * rng.uniform(0.25, 0.5), rate)


def noisy_copy(content: bytes, rng: np.random.Generator) -> bytes:
    """White noise 30 dB under the sound."""
    samples, rate = _read(content)
    level = np.sqrt(np.square(samples).mean()) * 10 ** (-30 / 20)
    return _wav(samples + rng.normal(0.0, level, samples.shape), rate)


def resampled(content: bytes, _: np.random.Generator) -> bytes:
    """At three quarters of the rate; at four thirds where that would be less than any sound has."""
    from scipy.signal import resample_poly

    samples, rate = _read(content)
    up, down = (3, 4) if rate * 3 // 4 >= RATES[0] else (4, 3)
    return _wav(resample_poly(samples, up, down, axis=0), rate * up // down)


def clip(content: bytes, _: np.random.Generator) -> bytes:
    """Four times too loud for its range."""
    samples, rate = _read(content)
    peak = max(float(np.abs(samples).max()), 1e-6)
    return _wav(np.clip(samples / peak * 4.0, -1.0, 1.0) * 0.98, rate)


def silence(content: bytes, _: np.random.Generator) -> bytes:
    """Nothing, as long as the sound."""
    samples, rate = _read(content)
    return _wav(np.zeros_like(samples), rate)


def drop_out(content: bytes, rng: np.random.Generator) -> bytes:
    """Three gaps of 12 ms of zeros in the loud half."""
    samples, rate = _read(content)
    samples = samples.copy()
    level = np.abs(samples).max(axis=1)
    loud = np.flatnonzero(level >= 0.2 * level.max())
    for start in rng.choice(loud, 3):
        samples[start : start + max(8, round(rate * 0.012))] = 0.0
    return _wav(samples, rate)


def truncate(content: bytes, _: np.random.Generator) -> bytes:
    """A wav whose header promises twice what is there."""
    samples, rate = _read(content)
    whole = _wav(samples, rate)
    return whole[: 44 + (len(whole) - 44) // 2]


def tone(content: bytes, rng: np.random.Generator) -> bytes:
    """Three steady tones and noise, as long as the sound."""
    samples, rate = _read(content)
    time = np.arange(len(samples)) / rate
    made = np.sum([np.sin(2 * np.pi * rng.uniform(200, rate / 3) * time) for _ in range(3)], axis=0) / 6
    return _wav(made[:, None] + rng.normal(0, 0.05, (len(samples), 1)), rate)


def _read(content: bytes) -> tuple[np.ndarray, int]:
    sound = decode(content, math.inf)  # what is too long was refused before
    return sound.samples.astype(np.float64), sound.rate


def _wav(samples: np.ndarray, rate: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1.0, 1.0), rate, "PCM_16", format="WAV")
    return buffer.getvalue()
