"""The bundled example: six made words, said by a buzz that goes through the resonances of vowels, as wav files."""

import io

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import lfilter

from assay.contracts.modality import Sample

RATE = 8_000
EACH = 60  # recordings of a word
TEST_SHARE = 0.2
VOWELS = {  # the two lowest resonances in Hz, of an adult (Peterson & Barney 1952)
    "a": (730, 1_090), "e": (530, 1_840), "i": (270, 2_290), "o": (570, 840), "u": (300, 870),
}  # fmt: skip
WORDS = ("aia", "eau", "iou", "oei", "uai", "oio")
STEP = 80  # samples in which the resonances stand still

Floats = npt.NDArray[np.float64]


def word_samples(seed: int = 0, each: int = EACH) -> list[Sample]:
    """`each` recordings of every word, in an order drawn by `seed`, a fifth of them in the test split."""
    rng = np.random.default_rng(seed)
    said = [word for word in WORDS for _ in range(each)]
    order = rng.permutation(len(said))
    is_test = rng.random(len(said)) < TEST_SHARE
    return [
        Sample(f"{number:07d}.wav", recording(said[place], rng), said[place], "test" if test else "train")
        for number, (place, test) in enumerate(zip(order.tolist(), is_test.tolist(), strict=True))
    ]


def recording(word: str, rng: np.random.Generator) -> bytes:
    """A wav of one word, each time at another pitch, pace and loudness."""
    n = int(RATE * rng.uniform(0.5, 0.9))
    voiced = resonant(buzz(n, rng), word, rng)
    voiced -= voiced.mean()
    voiced *= np.sin(np.pi * np.linspace(0, 1, n)) ** rng.uniform(0.4, 0.8)
    loud = voiced / np.abs(voiced).max() * rng.uniform(0.35, 0.7)
    silence = np.zeros(int(RATE * rng.uniform(0.02, 0.1)))
    whole = np.concatenate([silence, loud, silence])
    buffer = io.BytesIO()
    soundfile.write(buffer, whole + rng.normal(0, 0.0015, len(whole)), RATE, "PCM_16", format="WAV")
    return buffer.getvalue()


def buzz(n: int, rng: np.random.Generator) -> Floats:
    """Pulses of a voice whose pitch wanders, and a little breath."""
    knots = rng.uniform(90, 240) * rng.uniform(0.75, 1.3, 5)
    pitch = np.interp(np.linspace(0, 4, n), np.arange(5), knots)
    phase = np.cumsum(pitch) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    return np.asarray(lfilter([1.0], [1.0, -0.9], pulses) + rng.normal(0, 0.01, n), dtype=np.float64)


def resonant(source: Floats, word: str, rng: np.random.Generator) -> Floats:
    """The source through two resonances that move from vowel to vowel, in steps of 10 ms."""
    size = rng.uniform(0.9, 1.15)  # of the mouth
    when = np.sort(np.concatenate([[0.0], rng.uniform(0.3, 0.7, len(word) - 2), [1.0]]))
    share = np.linspace(0, 1, -(-len(source) // STEP))
    for formant in range(2):
        targets = [VOWELS[vowel][formant] / size * rng.uniform(0.95, 1.05) for vowel in word]
        course = np.interp(share, when, targets)
        made, state = np.zeros(len(source)), np.zeros(2)
        for step, hertz in enumerate(course.tolist()):
            here = slice(step * STEP, (step + 1) * STEP)
            radius = np.exp(-np.pi * (70 + 40 * formant) / RATE)
            poles = [1.0, -2 * radius * np.cos(2 * np.pi * hertz / RATE), radius**2]
            made[here], state = lfilter([1.0 - radius], poles, source[here], zi=state)
        source = made
    return source
