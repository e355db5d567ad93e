"""The examples of pairs: handwritten digits, and made words, with captions, some of them swapped."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from assay.contracts.modality import Sample
from assay.modalities.audio.words import WORDS, word_samples
from assay.modalities.image.digits import digit_samples

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SAYS = (
    "a handwritten {}", "the digit {} in dark ink", "somebody wrote the number {}", "{}, written by hand",
    "a photo of a {} on paper", "this is a {}", "number {} drawn with a pen", "the figure {}",
)  # fmt: skip
SAYS_OF_SOUNDS = (
    "somebody says {}", "a buzzing voice saying {}", "the word {} spoken aloud", "{}, said once", "a recording of {}",
)  # fmt: skip
RECORDINGS = 120  # of each word
SWAPPED = 0.05
TRUTH = {"uri": pl.String, "kind": pl.String, "of": pl.String, "true_label": pl.String}


def write_example(folder: Path, seed: int) -> pl.DataFrame:
    """Pictures and a table of captions below `folder/captioned-digits`; the truth, as `Example.write` gives it."""
    samples = digit_samples(seed)
    names = [NAMES[int(sample.label or 0)] for sample in samples]
    return _write(folder / "captioned-digits", samples, names, NAMES, SAYS, np.random.default_rng(seed))


def write_words(folder: Path, seed: int) -> pl.DataFrame:
    """The same of sounds, below `folder/captioned-words`."""
    samples = word_samples(seed, RECORDINGS)
    names = [str(sample.label) for sample in samples]
    return _write(folder / "captioned-words", samples, names, WORDS, SAYS_OF_SOUNDS, np.random.default_rng(seed))


def _write(
    root: Path,
    samples: list[Sample],
    names: list[str],
    known: Sequence[str],
    says: Sequence[str],
    rng: np.random.Generator,
) -> pl.DataFrame:
    """The samples' files, each with a sentence about its name, or for a few about another name."""
    root.mkdir(parents=True, exist_ok=True)
    for sample in samples:
        (root / sample.name).write_bytes(sample.content)
    swapped = rng.permutation(len(samples))[: round(SWAPPED * len(samples))]
    told = list(names)
    for place in swapped:
        told[place] = str(rng.choice([name for name in known if name != names[place]]))
    captions = [says[int(rng.integers(len(says)))].format(name) for name in told]
    frame = pl.DataFrame({"uri": [s.name for s in samples], "text": captions, "split": [s.split for s in samples]})
    frame.write_csv(root / "captions.csv")
    truth = [(samples[place].name, "swapped_caption", None, None) for place in swapped]
    return pl.DataFrame(truth, schema=TRUTH, orient="row").sort("uri")
