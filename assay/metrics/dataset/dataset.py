"""Numbers about the dataset as a whole that are not a SELECT: diversity, order, spurious correlation."""

import numpy as np
import polars as pl

from assay.metrics.corpus import Corpus

VENDI_SAMPLE = 1_000
ORDER_SAMPLE = 5_000
PERMUTATIONS = 199
BINS = 20


def vendi_score(vectors: np.ndarray, seed: int = 0, sample: int = VENDI_SAMPLE) -> tuple[float, int]:
    """`(score, n)`: the effective number of different vectors among n sampled ones (Friedman & Dieng 2023).

    exp of the entropy of the eigenvalues of the cosine kernel ÷ n; from 1 (all alike) to n (all orthogonal).
    """
    rows = np.random.default_rng(seed).permutation(len(vectors))[:sample]
    chosen = vectors[np.sort(rows)].astype(np.float64)
    if not len(chosen):
        return 0.0, 0
    gram = chosen @ chosen.T if len(chosen) <= chosen.shape[1] else chosen.T @ chosen
    eigenvalues = np.clip(np.linalg.eigvalsh(gram / len(chosen)), 0.0, None)
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    return float(np.exp(-(eigenvalues * np.log(eigenvalues)).sum())), len(chosen)


def order_test(
    corpus: Corpus, position: np.ndarray, within: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float] | None:
    """`(gap ratio, p)`: whether neighbours in space stand near each other in the file.

    The mean gap in position between a unit and its ten neighbours ÷ the same with positions permuted (inside the groups
    `within`, so that a file sorted by label does not count as drifting). A ratio of 1 is no order; p is the share of
    permutations whose mean is at most as small. After Cummings et al. 2023. Of a large dataset a sample of the units is
    looked at, with its neighbours, among whom positions are permuted. None below 20 units.
    """
    n = corpus.n_units
    if n < 20 or corpus.neighbors.shape[1] == 0:
        return None
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(n)[:ORDER_SAMPLE])
    near = corpus.neighbors[rows, :10]
    valid = near >= 0
    if not valid.any():
        return None
    seen, at = np.unique(np.concatenate([rows, near[valid]]), return_inverse=True)
    n, rows, near[valid] = len(seen), at[: len(rows)], at[len(rows) :]
    place = np.argsort(np.argsort(position, kind="stable"), kind="stable").astype(np.float32)[seen]
    within = within if within is None else within[seen]
    by_group = np.arange(n) if within is None else np.argsort(within, kind="stable")

    def gap(places: np.ndarray) -> float:
        return float(np.abs(places[near] - places[rows][:, None])[valid].mean(dtype=np.float64))

    observed, permuted = gap(place), []
    for _ in range(PERMUTATIONS):
        shuffled = rng.permutation(n) if within is None else np.argsort(within + rng.random(n))
        places = np.empty(n, dtype=np.float32)
        places[by_group] = place[shuffled]
        permuted.append(gap(places))
    mean = float(np.mean(permuted))
    p = (1 + sum(value <= observed for value in permuted)) / (1 + PERMUTATIONS)
    return (observed / mean if mean > 0 else 1.0), p


def binned(values: np.ndarray) -> np.ndarray:
    """Values as quantile bins 0…BINS−1; missing ones in a bin of their own."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(len(values), dtype=np.int64)
    cuts = np.unique(np.quantile(values[finite], np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.where(finite, np.searchsorted(cuts, np.where(finite, values, 0.0), side="right"), BINS)


def spurious_correlation(bins: np.ndarray, codes: np.ndarray, fold: np.ndarray) -> float | None:
    """How well one property alone predicts the label: (accuracy − baseline) ÷ (1 − baseline), at least 0.

    Accuracy is out of fold, of the most frequent label of a bin; the baseline is the majority class's share. None
    where there is nothing to predict.
    """
    known = codes >= 0
    bins, codes, fold = bins[known], codes[known], fold[known]
    n_classes = int(codes.max(initial=-1)) + 1
    baseline = np.bincount(codes, minlength=1).max() / max(len(codes), 1)
    if len(codes) < 20 or n_classes < 2 or baseline >= 1.0:
        return None
    frame = pl.DataFrame({"bin": bins, "code": codes, "fold": fold})
    counts = frame.group_by("bin", "code").agg(pl.len().alias("all"))
    right = 0
    for held in np.unique(fold):
        out = frame.filter(pl.col("fold") == held)
        inside = out.group_by("bin", "code").agg(pl.len().alias("mine"))
        rest = counts.join(inside, on=["bin", "code"], how="left").with_columns(
            (pl.col("all") - pl.col("mine").fill_null(0)).alias("n")
        )
        best = rest.filter(pl.col("n") > 0).sort("bin", "n", "code", descending=[False, True, False])
        best = best.unique("bin", keep="first", maintain_order=True).select("bin", pl.col("code").alias("guess"))
        right += int(out.join(best, on="bin", how="left").select((pl.col("code") == pl.col("guess")).sum()).item())
    return float(max(0.0, (right / len(codes) - baseline) / (1.0 - baseline)))


def reference_radius(corpus: Corpus) -> float:
    """The 90th percentile of the distance to the nearest neighbour: what counts as near in the coverage metrics."""
    if corpus.neighbors.shape[1] == 0:
        return 0.0
    known = corpus.neighbors[:, 0] >= 0
    nearest = 1.0 - corpus.similarities[known, 0].astype(np.float64)
    return float(max(np.quantile(nearest, 0.9), 1e-6)) if len(nearest) else 0.0


def typical_distance(vectors: np.ndarray) -> float:
    """Mean cosine distance of two units: 1 − ‖mean vector‖²."""
    mean = vectors.mean(axis=0, dtype=np.float64) if len(vectors) else np.zeros(1)
    return float(max(1.0 - mean @ mean, 0.0))


def rows(values: dict[str, tuple[float | None, str | None]]) -> pl.DataFrame:
    """Rows of `dataset_metrics` from `{metric: (value, note)}`; values that are not finite become null."""
    finite = [float(v) if v is not None and np.isfinite(v) else None for v, _ in values.values()]
    return pl.DataFrame(
        {"metric": list(values), "value": finite, "note": [note for _, note in values.values()]},
        schema={"metric": pl.String, "value": pl.Float64, "note": pl.String},
    )
