"""The example of pairs: handwritten digits with captions in words, some of them swapped."""

from pathlib import Path

import numpy as np
import polars as pl

from assay.modalities.image.digits import digit_samples

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SAYS = (
    "a handwritten {}", "the digit {} in dark ink", "somebody wrote the number {}", "{}, written by hand",
    "a photo of a {} on paper", "this is a {}", "number {} drawn with a pen", "the figure {}",
)  # fmt: skip
SWAPPED = 0.05
TRUTH = {"uri": pl.String, "kind": pl.String, "of": pl.String, "true_label": pl.String}


def write_example(folder: Path, seed: int) -> pl.DataFrame:
    """Pictures and a table of captions below `folder/captioned-digits`; the truth, as `Example.write` gives it."""
    rng = np.random.default_rng(seed)
    samples = digit_samples(seed)
    root = folder / "captioned-digits"
    root.mkdir(parents=True, exist_ok=True)
    for sample in samples:
        (root / sample.name).write_bytes(sample.content)
    names = [NAMES[int(sample.label or 0)] for sample in samples]
    swapped = rng.permutation(len(samples))[: round(SWAPPED * len(samples))]
    told = list(names)
    for place in swapped:
        told[place] = str(rng.choice([name for name in NAMES if name != names[place]]))
    captions = [SAYS[int(rng.integers(len(SAYS)))].format(name) for name in told]
    frame = pl.DataFrame({"uri": [s.name for s in samples], "text": captions, "split": [s.split for s in samples]})
    frame.write_csv(root / "captions.csv")
    truth = [(samples[place].name, "swapped_caption", None, None) for place in swapped]
    return pl.DataFrame(truth, schema=TRUTH, orient="row").sort("uri")
