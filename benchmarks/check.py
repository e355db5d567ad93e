"""`assay check`: wrong labels in a batch, found by what a snapshot's samples say.

    python benchmarks/check.py FOLDER    # with Banking77's train.csv and test.csv: columns text, category

A snapshot of the training texts (of 1,200 of scikit-learn's digits), and batches of others, none, 2% or 5% of whose
labels are another class at random. Prints for each how many labels are wrong, how many are flagged and how many of
these are wrong, outliers flagged (there are none), and seconds.
"""

import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from sklearn.datasets import load_digits

import assay

SHARES = (0.0, 0.02, 0.05)


def main(folder: Path) -> None:
    """Print a line for each batch."""
    print("data       batch  wrong  flagged  right  outliers  seconds")
    with tempfile.TemporaryDirectory() as home:
        for name, modality, old, new in (digits(), banking(folder)):
            old.write_parquet(Path(home) / f"{name}.parquet")
            source = {"kind": "table", "path": str(Path(home) / f"{name}.parquet")}
            spec = {"name": name, "modality": modality, "source": source, "project": {"methods": ["pca"]}}
            quietly(lambda spec=spec: assay.run(spec, home=home))
            for share in SHARES:
                batch, wrong = spoiled(new, share)
                began = time.monotonic()
                found = quietly(lambda spec=spec, batch=batch: assay.check(spec, batch, home=home))
                seconds = time.monotonic() - began
                flagged = set(found.table("label_issues")["sample_id"])
                numbers = (len(batch), len(wrong), len(flagged), len(flagged & wrong), len(found.table("outliers")))
                print(f"{name:10} {'{:5}  {:5}  {:7}  {:5}  {:8}'.format(*numbers)}  {seconds:7.1f}", flush=True)


def digits() -> tuple[str, str, pl.DataFrame, pl.DataFrame]:
    """Name, modality, the samples of the snapshot and those of the batch."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    frame = pl.DataFrame({"vector": data.data[order].astype(np.float32), "label": data.target[order].astype(str)})
    frame = frame.with_columns(pl.col("vector").cast(pl.List(pl.Float32)))
    return "digits", "vectors", numbered(frame[:1200], "d"), numbered(frame[1200:], "b")


def banking(folder: Path) -> tuple[str, str, pl.DataFrame, pl.DataFrame]:
    """The same of Banking77; of its test texts 1,000."""
    old, new = (pl.read_csv(folder / f"{name}.csv").rename({"category": "label"}) for name in ("train", "test"))
    return "banking77", "text", numbered(old, "t"), numbered(new.sample(1000, seed=0), "b")


def numbered(frame: pl.DataFrame, letter: str) -> pl.DataFrame:
    """With an id for each row."""
    return frame.with_columns(sample_id=pl.Series([f"{letter}{row}" for row in range(len(frame))]))


def spoiled(frame: pl.DataFrame, share: float) -> tuple[pl.DataFrame, set[str]]:
    """The frame with that share of its labels made another class, and whose they are."""
    rng, labels = np.random.default_rng(0), frame["label"].to_list()
    names = sorted(set(labels))
    wrong = rng.choice(len(frame), round(share * len(frame)), replace=False)
    for row in wrong:
        labels[row] = str(rng.choice([name for name in names if name != labels[row]]))
    return frame.with_columns(label=pl.Series(labels)), set(frame["sample_id"].gather(wrong))


def quietly(function: Any) -> Any:
    """The result of a function, without its progress."""
    with contextlib.redirect_stderr(io.StringIO()):
        return function()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
