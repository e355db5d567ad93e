"""One decoded sound → what the clean stage keeps of it. Runs in worker processes.

Levels are in decibels under full scale (dBFS), shares from 0 to 1. Frames are 20 ms long.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.modalities.audio.decode import Sound, decode
from assay.modalities.audio.mel import log_mel, stft_power
from assay.modalities.audio.preview import preview
from assay.modalities.contents import Content, Unmeasured, measure_each
from assay.sources.files import Source

FRAME_SECONDS = 0.02
SILENT_DB = -60.0
FULL = 0.999  # of full scale
DROPOUT_SECONDS = 0.004  # of one and the same value in the middle of sound
ABRUPT_SECONDS = 0.005
MATCH_BANDS, MATCH_HOP, MATCH_HIGHEST = 40, 0.01, 4_000.0  # of the spectrogram by which copies are told
MATCH_SECONDS = 10.0
MATCH_FLOOR_DB = 36.0  # under the peak: deeper, noise counts; shallower, two takes of one speaker look alike


@dataclass(frozen=True)
class MeasuredSound:
    """A row of `audio_facts` without its content hash."""

    values: dict[str, Any]


def measure_contents(
    source: Source, max_seconds: float, contents: Sequence[Content]
) -> list[MeasuredSound | Unmeasured]:
    """Read, decode and measure sounds, one result each, in their order."""

    def measure_one(data: bytes) -> MeasuredSound:
        return MeasuredSound(measure(decode(data, max_seconds)))

    return measure_each(measure_one, source, contents, passing=("needs_pyav",))


def measure(sound: Sound) -> dict[str, Any]:
    """All facts of one sound."""
    mono = sound.mono()
    levels = frame_levels(mono, sound.rate)
    peak = float(np.abs(sound.samples).max())
    heard = levels > max(SILENT_DB, 20.0 * np.log10(max(peak, 1e-9)) - 50.0)
    return {
        "format": sound.format.lower(),
        "rate": sound.rate,
        "n_channels": sound.samples.shape[1],
        "seconds": sound.seconds,
        "peak": min(peak, 1e6),
        "loudness_db": float(max(20.0 * np.log10(max(np.sqrt(np.square(mono).mean(dtype=np.float64)), 1e-6)), -120.0)),
        "silence": 1.0 - float(heard.mean()),
        "clipped": clipped_share(sound.samples),
        "dc_offset": float(np.abs(sound.samples.mean(axis=0, dtype=np.float64)).max()),
        "snr_db": noise_ratio(levels),
        "bandwidth": bandwidth(mono, sound.rate),
        "dropouts": dropout_share(sound.samples, sound.rate, heard),
        "starts_abruptly": edge_level(mono, sound.rate, peak),
        "ends_abruptly": edge_level(mono[::-1], sound.rate, peak),
        "channel_correlation": channel_correlation(sound.samples),
        "not_finite": sound.not_finite,
        "over_one": float((np.abs(sound.samples) > 1.0 + 1e-4).mean()),
        "missing": sound.missing,
        "sound_hash": sound_hash(sound),
        "spectrogram": match_spectrogram(mono, sound.rate),
        "thumbnail": preview(mono, sound.rate),
    }


def frame_levels(mono: np.ndarray, rate: int) -> np.ndarray:
    """Level of each frame in dBFS, float64 (frames,); one at least."""
    size = max(1, round(rate * FRAME_SECONDS))
    whole = len(mono) // size
    frames = mono[: whole * size].reshape(whole, size) if whole else mono[None, :]
    return 10.0 * np.log10(np.maximum(np.square(frames, dtype=np.float64).mean(axis=1), 1e-12))


def clipped_share(samples: np.ndarray) -> float:
    """Share of samples in runs of three or more at the largest value of a channel, where that stands out as a wall."""
    worst = 0.0
    for channel in samples.T:
        top = float(np.abs(channel).max())
        if top < 0.1:
            continue
        flat = np.abs(channel) >= top * FULL
        runs = flat[:-2] & flat[1:-1] & flat[2:]
        held = np.zeros(len(flat), dtype=bool)
        for shift in range(3):
            held[shift : shift + len(runs)] |= runs
        worst = max(worst, float(held.mean()))
    return worst


def noise_ratio(levels: np.ndarray) -> float:
    """Loud frames above quiet ones, in decibels: the 95th percentile of frame levels over the 5th, at most 100.

    Frames of digital silence are no noise, and left out.
    """
    sounding = levels[levels > -119.0]
    if len(sounding) < 5:
        return 100.0
    low, high = np.percentile(sounding, [5, 95])
    return float(min(high - low, 100.0))


def bandwidth(mono: np.ndarray, rate: int) -> float:
    """The highest frequency within 70 dB of the mean spectrum's peak, as a share of half the rate."""
    spectrum = stft_power(mono, 1024, 1024, np.arange(0, max(1, len(mono) - 1023), 512)).mean(axis=0, dtype=np.float64)
    if spectrum.max(initial=0.0) <= 0:
        return 1.0
    audible = np.flatnonzero(spectrum > spectrum.max() * 1e-7)
    return float((audible[-1] + 1) / len(spectrum))


def dropout_share(samples: np.ndarray, rate: int, heard: np.ndarray) -> float:
    """Share of the clip in runs of one value, `DROPOUT_SECONDS` long or longer, between frames that sound."""
    still = np.all(samples[1:] == samples[:-1], axis=1)
    least = max(8, round(rate * DROPOUT_SECONDS))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.view(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    loud = np.flatnonzero(heard)
    if not len(loud):
        return 0.0
    frame = max(1, round(rate * FRAME_SECONDS))
    first, last = loud[0] * frame, (loud[-1] + 1) * frame
    inside = (ends - starts >= least) & (starts > first) & (ends < last)
    quiet = np.array([np.abs(samples[a]).max() < FULL for a in starts], dtype=bool)  # a run at full scale is clipping
    return float((ends - starts)[inside & quiet].sum() / len(samples))


def edge_level(mono: np.ndarray, rate: int, peak: float) -> float:
    """How loud the first `ABRUPT_SECONDS` are, as a share of the clip's 95th percentile level; 0 … 1."""
    size = max(1, round(rate * ABRUPT_SECONDS))
    if peak <= 1e-4 or len(mono) < 4 * size:
        return 0.0
    edge = np.sqrt(np.square(mono[:size], dtype=np.float64).mean())
    whole = len(mono) // size
    typical = np.percentile(np.sqrt(np.square(mono[: whole * size].reshape(whole, size)).mean(axis=1)), 95)
    return float(min(edge / max(typical, 1e-9), 1.0))


def channel_correlation(samples: np.ndarray) -> float | None:
    """Correlation of the two most alike channels in size: 1 copies, −1 in anti-phase; null for one channel."""
    if samples.shape[1] < 2 or len(samples) < 2:
        return None
    centred = samples[:, :2].astype(np.float64) - samples[:, :2].mean(axis=0)
    scale = np.sqrt(np.square(centred).sum(axis=0))
    return None if scale.min() <= 1e-9 else float(np.clip(centred[:, 0] @ centred[:, 1] / scale.prod(), -1.0, 1.0))


def sound_hash(sound: Sound) -> str:
    """Digest of the samples, whatever file holds them: equal only where every sample, the rate and the channels are."""
    digest = hashlib.blake2b(f"{sound.rate} {sound.samples.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(sound.samples).view(np.uint8).data)
    return digest.hexdigest()


def match_spectrogram(mono: np.ndarray, rate: int) -> bytes:
    """uint8 (frames, `MATCH_BANDS`) of the first `MATCH_SECONDS`: sixths of a decibel above the floor."""
    heard = mono[: round(rate * MATCH_SECONDS)]
    spectrogram = log_mel(heard, rate, MATCH_BANDS, MATCH_HOP, MATCH_HIGHEST, MATCH_FLOOR_DB)
    return np.rint(spectrogram * 6).clip(0, 255).astype(np.uint8).tobytes()
