"""How labels go wrong in a dataset, learnt from the labels that are flagged in it, so that more can be planted alike.

A flagged label is taken for a mistake with the confidence of its suggestion. Which label a mistake gives is a mixture:
one that others of the class were given by mistake, or one by how near it is, as the second nearest or the fifth to
eighth. So class-by-class habits, confusion with neighbours, and mistakes that know no direction are told apart by the
flags alone.
"""

import numpy as np
import polars as pl

from assay.selftest.plant import Relabel, any_label

PRIOR_MISTAKES = 10.0  # mistakes' worth of prior: half of them give the nearest class, half any
SHRINKAGE = 40.0  # samples' worth of the overall rate of mistakes in the rate of each class
ROUNDS = 100


def as_mistaken(names: list[str], given: np.ndarray) -> Relabel:
    """A function for `assay.selftest.plant.plant` that draws a wrong label from the rows of `given` (k, k)."""
    place = {name: row for row, name in enumerate(names)}

    def relabel(label: str | None, others: list[str], rng: np.random.Generator) -> str:
        known = [other for other in others if other in place]
        chance = given[place[label], [place[other] for other in known]] if label in place else np.zeros(0)
        return str(rng.choice(known, p=chance / chance.sum())) if chance.sum() > 0 else any_label(label, others, rng)

    return relabel


def mistake_rates(issues: pl.DataFrame) -> dict[str, float]:
    """How likely each sample's label is to be given by mistake were it right, by `sample_id`.

    The rate of its class, shrunk to that of all; where the label is flagged, times the chance that it is right after
    all, for the flip of a wrong label might put it right.

    Args:
        issues: the labelled rows of `label_issues`, each with a suggestion.
    """
    wrong = issues.filter("is_issue").group_by("suggested_label").agg(pl.col("confidence").sum().alias("wrong"))
    overall = (float(wrong["wrong"].sum()) + 1) / max(1, len(issues))
    sizes = issues.group_by("label").len().join(wrong, left_on="label", right_on="suggested_label", how="left")
    rate = (pl.col("wrong").fill_null(0.0) + SHRINKAGE * overall) / (pl.col("len") + SHRINKAGE)
    right = pl.when("is_issue").then(1 - pl.col("confidence")).otherwise(1.0)
    rated = issues.join(sizes.select("label", rate.alias("rate")), on="label")
    return dict(rated.select("sample_id", pl.col("rate") * right).iter_rows())


def given_by_mistake(true: np.ndarray, given: np.ndarray, weight: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """(k, k) chance of each wrong label for each true class; rows sum to 1, the diagonal is 0.

    The shares of the mixture make the mistakes likeliest, each predicted from all others but itself (expectation
    maximisation). A class without a mistake of its own goes by nearness alone.

    Args:
        true, given: (m,) codes of the mistakes.
        weight: (m,) how sure it is that each is one, 0…1.
        similarity: (k, k) of the classes.
    """
    k = len(similarity)
    counts = np.zeros((k, k))
    np.add.at(counts, (true, given), weight)
    bins = nearness_bins(similarity)
    sizes = np.array([(bins == b).sum() for b in range(bins.max() + 1)]) / k
    others = counts[true].sum(axis=1) - weight
    repeated = np.where(others > 1e-9, (counts[true, given] - weight) / np.maximum(others, 1e-9), 0.0)
    place = bins[true, given]
    prior = np.r_[0.0, PRIOR_MISTAKES / 2 * sizes / sizes.sum()]
    prior[1] += PRIOR_MISTAKES / 2
    shares = np.full(len(prior), 1 / len(prior))
    for _ in range(ROUNDS):
        habit, near = shares[0] * repeated, shares[1 + place] / sizes[place]
        total = np.maximum(habit + near, 1e-300)
        found = np.bincount(place, weight * near / total, len(sizes))
        shares = prior + np.r_[(weight * habit / total).sum(), found]
        shares /= shares.sum()
    by_nearness = np.where(bins >= 0, shares[1 + bins] / sizes[bins], 0.0)
    mixed = shares[0] * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-9) + by_nearness
    return mixed / np.maximum(mixed.sum(axis=1, keepdims=True), 1e-300)


def nearness_bins(similarity: np.ndarray) -> np.ndarray:
    """(k, k) int: 0 for the most similar other class, 1 for the second, 2 for the next two, 3 for four…; −1 for itself.

    Three classes of which the first two are near each other: [[−1, 0, 1], [0, −1, 1], [1, 0, −1]].
    """
    k = len(similarity)
    own_last = np.where(np.eye(k, dtype=bool), -np.inf, similarity)
    order = np.argsort(-own_last, axis=1, kind="stable")
    rank = np.empty((k, k), dtype=np.int64)
    np.put_along_axis(rank, order, np.arange(1, k + 1)[None], axis=1)
    bins = np.ceil(np.log2(rank)).astype(np.int64)
    np.fill_diagonal(bins, -1)
    return bins


def class_similarity(codes: np.ndarray, vectors: np.ndarray, k: int) -> np.ndarray:
    """(k, k) cosine similarities of the classes' mean directions, about the mean of all; codes (n,), vectors (n, d)."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    means = np.zeros((k, vectors.shape[1]))
    np.add.at(means, codes, unit)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return means @ means.T


def learn(issues: pl.DataFrame, vectors: np.ndarray) -> tuple[Relabel, dict[str, float]]:
    """What `plant` asks for: how a label is made wrong, and how likely each sample's is, by `sample_id`.

    Args:
        issues: the labelled rows of `label_issues`.
        vectors: (n, d) of the same rows.
    """
    names = sorted(set(issues["label"]) | set(issues["suggested_label"].drop_nulls()))
    if len(names) < 2:
        return any_label, {}
    place = {name: code for code, name in enumerate(names)}
    codes = issues["label"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    similarity = class_similarity(codes, vectors, len(names))
    issues = issues.with_columns(
        pl.col("suggested_label").fill_null(pl.col("label")), pl.col("confidence").fill_null(1)
    )
    wrong = issues.filter(pl.col("is_issue") & (pl.col("label") != pl.col("suggested_label")))
    true = wrong["suggested_label"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    given = wrong["label"].replace_strict(place, return_dtype=pl.Int64).to_numpy()
    chances = given_by_mistake(true, given, wrong["confidence"].to_numpy(), similarity)
    return as_mistaken(names, chances), mistake_rates(issues)
