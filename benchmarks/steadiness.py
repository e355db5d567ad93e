"""How steady verdicts are: night after night of a dataset of which a small share changes.

    python benchmarks/steadiness.py [--datasets digits,banking77,caltech101] [--nights 20] [--changed 0.01]

Digits are scikit-learn's pixels, banking77 the texts in the vectors of `lsa`, caltech101 MobileNet's vectors
(`detection/vectors.py`). A twentieth of the labels is moved to another class, one sample in a hundred is a stray of a
class that is held out. Each night the share `--changed` of the samples is touched: a quarter each is removed, added,
given another label, given another content. Nights are whole ones, in a home of their own below `--home`.

A row a dataset: of the samples that were not touched, the share of which any verdict changed; the mean absolute change
of a score; what was called resolved, and how much of it had not been touched; and after the last night the average
precision and the F1 of flags beside those of a first night of the same data. `--detail` prints a row a night.
"""

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent / "detection")]

from assay.contracts.spec import Spec, make_spec
from assay.night import run_night
from assay.store.snapshots import Snapshot
from assay.store.workspace import Workspace

MOVED_LABELS = 0.05  # share of the labels that are wrong on the first night
STRAYS = 0.01  # share of the samples
SCORED = ("label_issue", "outlier")


@dataclass(frozen=True)
class Data:
    """The rows of one night. `row`: (n,) which vector each sample has; `label`, `truth`: (n,) codes, −1 for a stray's
    truth; `name`: (n,) its number, kept from night to night."""

    name: NDArray[np.int64]
    row: NDArray[np.int64]
    label: NDArray[np.int64]
    truth: NDArray[np.int64]


def load_vectors(name: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """`(vectors (n, d), true classes (n,))`."""
    if name == "digits":
        pixels, truth = load_digits(return_X_y=True)
        return ((pixels - 8) / 40).astype(np.float32), truth.astype(np.int64)
    if name == "banking77":
        from vectors import SHARED
        from words import embedded

        parts = [pl.read_csv(SHARED / f"data/banking77/{split}.csv") for split in ("train", "test")]
        frame = pl.concat(parts)
        labels = np.unique(frame["category"].to_numpy(), return_inverse=True)[1]
        return embedded(frame["text"].to_list(), {"kind": "lsa"}), labels.astype(np.int64)
    from vectors import load

    vectors, strings = load(name)
    return vectors, np.unique(strings, return_inverse=True)[1].astype(np.int64)


def nights_of(truth: NDArray[np.int64], nights: int, changed: float, seed: int) -> Iterator[Data]:
    """The first night and `nights` more, each with its changes; the smallest class gives the strays alone."""
    rng, sizes = np.random.default_rng(seed), np.bincount(truth)
    held = int(sizes.argmin())
    inside = rng.permutation(np.flatnonzero(truth != held))
    outside = rng.permutation(np.flatnonzero(truth == held))
    classes = np.setdiff1d(np.unique(truth), [held])
    spare = round(len(inside) * changed * nights / 2) + 1
    start, pool = inside[spare:], list(inside[:spare])
    strays = outside[: round(STRAYS * len(start))]
    row = np.r_[start, strays]
    true = np.where(truth[row] == held, -1, truth[row])
    label = np.where(true < 0, rng.choice(classes, len(row)), true)
    wrong = rng.permutation(len(start))[: round(MOVED_LABELS * len(start))]
    label[wrong] = others(label[wrong], classes, rng)
    now = Data(np.arange(len(row)), row, label, true)
    yield now
    quarter, newest = max(1, round(len(row) * changed / 4)), len(row)
    for _ in range(nights):
        at = rng.permutation(len(now.row))
        relabelled, replaced, removed = at[:quarter], at[quarter : 2 * quarter], at[2 * quarter : 3 * quarter]
        row, label, true = now.row.copy(), now.label.copy(), now.truth.copy()
        label[relabelled] = others(label[relabelled], classes, rng)
        fresh = np.array([pool.pop() for _ in range(2 * quarter)])
        row[replaced] = fresh[:quarter]
        true[replaced] = label[replaced] = truth[fresh[:quarter]]
        keep = np.setdiff1d(np.arange(len(row)), removed)
        added = fresh[quarter:]
        now = Data(
            np.r_[now.name[keep], np.arange(newest, newest + quarter)],
            np.r_[row[keep], added],
            np.r_[label[keep], truth[added]],
            np.r_[true[keep], truth[added]],
        )
        newest += quarter
        yield now


def others(label: NDArray[np.int64], classes: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Of each label another class, at random."""
    place = np.searchsorted(classes, label)
    return classes[(place + rng.integers(1, len(classes), len(label))) % len(classes)]


def spec_of(name: str, folder: Path) -> Spec:
    """The spec of the table in a folder."""
    source = {"kind": "table", "path": "data.parquet"}
    described = {"name": name, "modality": "vectors", "source": source, "project": {"methods": ["pca"]}}
    return make_spec(described, base=folder)


def publish(home: Path, name: str, data: Data, vectors: NDArray[np.float32]) -> Snapshot:
    """A night of `data`."""
    home.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(
        {
            "sample_id": [f"s{number:06d}" for number in data.name.tolist()],
            "vector": pl.Series(vectors[data.row], dtype=pl.Array(pl.Float32, vectors.shape[1])),
            "label": [f"c{code:03d}" for code in data.label.tolist()],
        }
    )
    frame.write_parquet(home / "data.parquet")
    with contextlib.redirect_stderr(io.StringIO()):
        return run_night(spec_of(name, home), Workspace(home, name))


def untouched(old: Data, new: Data) -> list[str]:
    """Names of the samples that have their content and label still."""
    _, a, b = np.intersect1d(old.name, new.name, return_indices=True)
    same = (old.row[a] == new.row[b]) & (old.label[a] == new.label[b])
    return [f"s{number:06d}" for number in old.name[a][same].tolist()]


def compared(old: pl.DataFrame, new: pl.DataFrame, ids: list[str]) -> pl.DataFrame:
    """Rows sample_id, metric, was, now of the samples whose verdict on a metric changed."""
    chosen = pl.col("sample_id").is_in(ids)
    sides = [frame.filter(chosen, "is_issue").select("sample_id", "metric") for frame in (old, new)]
    gone, come = (
        sides[0].join(sides[1], on=["sample_id", "metric"], how="anti"),
        sides[1].join(sides[0], on=["sample_id", "metric"], how="anti"),
    )
    return pl.concat([gone.with_columns(now=False), come.with_columns(now=True)])


def quality(snapshot: Snapshot, data: Data) -> dict[str, float]:
    """Average precision of the scores and F1 of the flags, of label issues and of outliers."""
    scores = snapshot.read("scores")
    truth = {"label_issue": data.label != data.truth, "outlier": data.truth < 0}
    out = {}
    for metric, wrong in truth.items():
        named = pl.DataFrame({"sample_id": [f"s{number:06d}" for number in data.name.tolist()], "wrong": wrong})
        rows = named.join(scores.filter(pl.col("metric") == metric), on="sample_id").sort("sample_id")
        flags, bad = rows["is_issue"].to_numpy(), rows["wrong"].to_numpy()
        out[f"{metric} AP"] = float(average_precision_score(bad, rows["score"].to_numpy()))
        out[f"{metric} F1"] = float(2 * (flags & bad).sum() / max(flags.sum() + bad.sum(), 1))
    return out


def trial(name: str, chosen: argparse.Namespace, home: Path) -> None:
    """Print the row of one dataset."""
    vectors, truth = load_vectors(name)
    shares, moves, resolved = [], [], [0, 0]
    before: tuple[Data, Snapshot, pl.DataFrame] | None = None
    for night, data in enumerate(nights_of(truth, chosen.nights, chosen.changed, chosen.seed)):
        snapshot = publish(home / name, name, data, vectors)
        scores = snapshot.read("scores")
        if before is not None:
            ids = untouched(before[0], data)
            changes = compared(before[2], scores, ids)
            shares.append(changes["sample_id"].n_unique() / len(ids))
            moves.append({metric: moved(before[2], scores, ids, metric) for metric in SCORED})
            gone = snapshot.read("diff").filter(pl.col("change") == "resolved", pl.col("metric") == "label_issue")
            resolved[0] += len(gone)
            resolved[1] += int(gone["sample_id"].is_in(ids).sum())
            if chosen.detail:
                by = changes.group_by("metric", "now").len().sort("metric", "now").rows()
                print(f"  night {night}: {len(ids)} untouched; changed {by}", flush=True)
        before = data, snapshot, scores
    assert before is not None
    last, kept = before[0], quality(before[1], before[0])
    fresh = quality(publish(home / f"{name}-fresh", name, last, vectors), last)
    mean = {metric: np.mean([move[metric] for move in moves]) for metric in SCORED}
    print(
        f"{name}: {len(last.row)} samples, {len(shares)} nights; verdicts of the untouched changed a night: mean "
        f"{np.mean(shares):.3%}, most {np.max(shares):.3%}; scores moved "
        + ", ".join(f"{metric} {value:.4f}" for metric, value in mean.items())
        + f"; label issues resolved {resolved[0]}, of these untouched {resolved[1]}; "
        + ", ".join(f"{key} {value:.3f} (first night {fresh[key]:.3f})" for key, value in kept.items()),
        flush=True,
    )


def moved(old: pl.DataFrame, new: pl.DataFrame, ids: list[str], metric: str) -> float:
    """The mean absolute change of the untouched samples' scores."""
    sides = [frame.filter(pl.col("metric") == metric).select("sample_id", "score") for frame in (old, new)]
    both = sides[0].join(sides[1], on="sample_id").filter(pl.col("sample_id").is_in(ids))
    return float((both["score"] - both["score_right"]).abs().mean() or 0.0)  # type: ignore[arg-type]


def main() -> None:
    """Print a row for each dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", default="digits,banking77,caltech101")
    parser.add_argument("--nights", type=int, default=20)
    parser.add_argument("--changed", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detail", action="store_true")
    parser.add_argument("--home", type=Path, help="where to keep the nights; by default nowhere")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.datasets.split(","):
            trial(name, chosen, (chosen.home or Path(folder)).resolve())


if __name__ == "__main__":
    main()
