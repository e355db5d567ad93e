"""A sound as a small picture: its spectrogram, with the waveform below."""

import io
import itertools

import numpy as np
from PIL import Image

from assay.modalities.audio.mel import log_mel, squeezed

WIDTH, SPECTRUM, WAVE = 192, 96, 32  # pixels
STOPS = np.array([(10, 10, 30), (70, 20, 110), (180, 50, 110), (250, 140, 70), (255, 245, 190)], dtype=np.float32)
INK, PAPER = (80, 130, 220), (18, 18, 30)


def preview(mono: np.ndarray, rate: int) -> bytes:
    """A JPEG of `WIDTH` × (`SPECTRUM` + `WAVE`) pixels; time runs to the right, pitch upwards."""
    spectrogram = squeezed(log_mel(mono, rate, SPECTRUM // 2, 0.01, 8_000.0, 60.0), WIDTH) / 60.0
    picture = np.zeros((SPECTRUM + WAVE, WIDTH, 3), dtype=np.uint8)
    picture[:SPECTRUM] = np.repeat(coloured(spectrogram.T[::-1]), 2, axis=0)
    picture[SPECTRUM:] = waveform(mono)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def coloured(values: np.ndarray) -> np.ndarray:
    """uint8 (…, 3) of values from 0 to 1, dark to light, light growing evenly."""
    place = np.clip(values, 0.0, 1.0) * (len(STOPS) - 1)
    low = np.minimum(place.astype(int), len(STOPS) - 2)
    share = (place - low)[..., None]
    return (STOPS[low] * (1 - share) + STOPS[low + 1] * share).astype(np.uint8)


def waveform(mono: np.ndarray) -> np.ndarray:
    """uint8 (WAVE, WIDTH, 3): the largest swing of each column's samples, scaled to the clip's peak."""
    edges = np.linspace(0, len(mono), WIDTH + 1).astype(int)
    peak = max(float(np.abs(mono).max(initial=0.0)), 1e-9)
    high = np.array([np.abs(mono[a : max(b, a + 1)]).max(initial=0.0) for a, b in itertools.pairwise(edges)])
    reach = np.maximum(1, np.rint(high / peak * WAVE / 2)).astype(int)
    rows = np.abs(np.arange(WAVE) - WAVE // 2)[:, None]
    return np.where((rows < reach)[..., None], INK, PAPER).astype(np.uint8)
