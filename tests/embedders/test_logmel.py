"""Vectors of sounds without weights: what does not count."""

import numpy as np
import pytest

from assay.embedders.logmel import patch

RATE = 8_000


def word(seed: int) -> np.ndarray:
    """Half a second of four tones, one after another, each rising and falling."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE // 8) / RATE
    tones = [np.hanning(len(time)) * np.sin(2 * np.pi * rng.uniform(200, 3_000) * time) for _ in range(4)]
    return np.concatenate(tones).astype(np.float32)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.mark.parametrize("before, after", [(0.3, 0.0), (0.0, 0.5), (1.0, 1.0)])
def test_silence_around_a_sound_does_not_count(before: float, after: float) -> None:
    noise = np.random.default_rng(9).normal(0, 1e-5, 3 * RATE).astype(np.float32)
    padded = np.concatenate([noise[: int(before * RATE)], word(1), noise[: int(after * RATE)]])
    assert cosine(patch(word(1), RATE), patch(padded, RATE)) > 0.95
    assert cosine(patch(word(1), RATE), patch(word(2), RATE)) < 0.7


def test_silence_within_a_sound_does_count() -> None:
    halves = np.split(word(1), 2)
    parted = np.concatenate([halves[0], np.zeros(RATE // 2, dtype=np.float32), halves[1]])
    assert cosine(patch(word(1), RATE), patch(parted, RATE)) < 0.9


def test_gain_does_not_count() -> None:
    np.testing.assert_allclose(patch(word(1), RATE), patch(0.01 * word(1), RATE), atol=1e-3)


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(1), np.zeros(RATE), np.full(RATE, 0.5)])
def test_nothing_to_hear_is_a_vector_all_the_same(samples: np.ndarray) -> None:
    assert patch(samples.astype(np.float32), RATE).shape == (640,)
    assert np.isfinite(patch(samples.astype(np.float32), RATE)).all()
