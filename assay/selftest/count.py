"""Count what a snapshot found of the defects that were planted: per kind, per detector, with average precision.

A *judgement* is one detector's view of every sample: `sample_id, kind, role, score, is_issue`. The role is `planted`
(it should be found), `excused` (another defect was planted in it that may well trip this detector), `earlier` (it was
flagged before anything was planted), or `clean`.

From the same judgement follows what the detector is worth on the data's *own* defects, which nobody has marked: the
planted ones are taken as a fair sample of them (Elkan & Noto 2008).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from assay.contracts.modality import Modality
from assay.contracts.tables import empty
from assay.store.snapshots import Snapshot

FIRST = ("unreadable files", "exact duplicates", "near duplicates", "leaks")  # detectors, in the order of a table
LAST = ("outliers", "label issues")  # any other is a metric
PAIRED = FIRST[1:]
UNSURE = 0.3  # share by which the number of the data's own defects may be off
ENOUGH = 0.5  # of the planted ones must be flagged, that their scores tell anything of the data's own
FEW = 5.0  # defects of the data's own, under which nothing is said of how they are ranked
JUDGEMENT = {"sample_id": pl.String, "kind": pl.String, "role": pl.String, "score": pl.Float64, "is_issue": pl.Boolean}


@dataclass(frozen=True)
class Judged:
    """How one detector did. `average_precision` and its interval are None where there is nothing to rank."""

    detector: str
    planted: int
    found: int
    wrong: int  # clean samples flagged
    average_precision: float | None
    ap_low: float | None
    ap_high: float | None
    already: float | None = None  # estimated number of defects of this kind in the data as it is
    own_flagged: float | None = None  # samples of the data as it is that are flagged, the mean of the rounds
    own_precision: float | None = None  # estimated share of true ones among what is flagged of these data
    own_average_precision: float | None = None
    own_low: float | None = None
    own_high: float | None = None

    @property
    def recall(self) -> float | None:
        """Found ÷ planted."""
        return self.found / self.planted if self.planted else None

    @property
    def precision(self) -> float | None:
        """Found ÷ (found + wrong); None where nothing was flagged."""
        flagged = self.found + self.wrong
        return self.found / flagged if flagged else None


def read_table(snapshot: Snapshot, table: str) -> pl.DataFrame:
    """A whole table of a snapshot; an empty one where it has none."""
    parts = snapshot.parts(table)
    return pl.read_parquet(parts) if parts else empty(table)


def detectors(data: Modality) -> dict[str, tuple[str, ...]]:
    """What each detector should find: kinds of defect, in the order of a table."""
    found: dict[str, list[str]] = {}
    for kind, defect in data.defects.items():
        found.setdefault(defect.found_by, []).append(kind)
    metrics = [name for name in found if name not in FIRST + LAST]
    return {name: tuple(found[name]) for name in (*FIRST, *metrics, *LAST) if name in found}


def judge(
    data: Modality, snapshot: Snapshot, truth: pl.DataFrame, before: Snapshot | None = None
) -> dict[str, pl.DataFrame]:
    """Each detector's judgement of every sample.

    Args:
        truth: `sample_id, kind, of` of the planted samples.
        before: a snapshot of the same samples with nothing planted. What it flags is no false alarm of the planted
            one: it is a defect that was there already, or a mistake that planting did not cause.
    """
    kinds = set(truth["kind"])
    judgements = {}
    for detector, finds in detectors(data).items():
        if not kinds.intersection(finds):
            continue
        judge_it = _judge_pairs if detector in PAIRED else _judge_one
        rows = judge_it(data, snapshot, truth, detector)
        if before is not None and detector != "label issues":  # label noise is estimated instead
            earlier = flagged_before(data, before, detector)
            known = (pl.col("role") == "clean") & pl.col("sample_id").is_in(earlier)
            rows = rows.with_columns(role=pl.when(known).then(pl.lit("earlier")).otherwise("role"))
        judgements[detector] = rows
    return judgements


def flagged_before(data: Modality, before: Snapshot, detector: str) -> list[str]:
    """The samples that a detector flags in a snapshot with nothing planted."""
    if detector == "leaks":
        leaks = read_table(before, "leaks")
        return pl.concat([leaks["sample_id"], leaks["other_id"]]).unique().to_list()
    if detector in PAIRED:
        return read_table(before, "duplicates")["sample_id"].to_list()
    return _flags(data, before, detector).filter("is_issue")["sample_id"].to_list()


def _flags(data: Modality, snapshot: Snapshot, detector: str) -> pl.DataFrame:
    """`sample_id, score, is_issue` of a detector that judges samples one by one."""
    columns = ["sample_id", pl.col("score").cast(pl.Float64), "is_issue"]
    if detector == "unreadable files":
        return _refused(snapshot)
    if detector == "label issues":
        return read_table(snapshot, "label_issues").filter(pl.col("label").is_not_null()).select(columns)
    metric = {"outliers": "outlier"}.get(detector, detector)
    found = read_table(snapshot, "scores").filter(pl.col("metric") == metric).select(columns)
    also = {name for defect in data.defects.values() if defect.found_by == detector for name in defect.also}
    if "unreadable files" in also:  # a text with nothing at all in it is not carried on
        found = pl.concat([found, _refused(snapshot).join(found, on="sample_id", how="anti")])
    return found


def _refused(snapshot: Snapshot) -> pl.DataFrame:
    """The samples that were rejected, as flags."""
    refused = read_table(snapshot, "rejects").with_columns(pl.col("sample_id").fill_null(pl.col("uri")))
    refused = refused.drop_nulls("sample_id").unique("sample_id", maintain_order=True)
    return refused.select("sample_id", score=pl.lit(1.0), is_issue=pl.lit(True))


def _judge_one(data: Modality, snapshot: Snapshot, truth: pl.DataFrame, detector: str) -> pl.DataFrame:
    """Judgement of a detector with a score a sample. One without a score counts as 0."""
    ids = pl.concat([read_table(snapshot, "samples")["sample_id"], truth["sample_id"]]).unique(maintain_order=True)
    rows = ids.to_frame().join(_flags(data, snapshot, detector), on="sample_id", how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("score").fill_null(0.0), pl.col("is_issue").fill_null(False))
    joined = rows.join(truth.select("sample_id", "kind"), on="sample_id", how="left", maintain_order="left")
    role = (
        pl.when(pl.col("kind").is_in(detectors(data)[detector])).then(pl.lit("planted"))
        .when(pl.col("kind").is_in(_excusing(data, detector))).then(pl.lit("excused")).otherwise(pl.lit("clean"))
    )  # fmt: skip
    return joined.with_columns(role=role).select(list(JUDGEMENT))


def _excusing(data: Modality, detector: str) -> Collection[str]:
    """Kinds of planted defect that may rightly trip a detector made for another one."""
    excused = [kind for kind, defect in data.defects.items() if detector in defect.also]
    hows = {"damage", "stranger"}
    if detector == "unreadable files":
        return excused
    if detector == "label issues":  # a copy's label is as right as its original's, which nobody knows
        hows |= {"copy", "leak"}
    others = (kind for kind, defect in data.defects.items() if defect.how in hows and defect.found_by != detector)
    return {*others, *excused}


def _judge_pairs(data: Modality, snapshot: Snapshot, truth: pl.DataFrame, detector: str) -> pl.DataFrame:
    """Judgement of a detector of pairs: a copy is found where it is tied to its original, wrong where to another.

    Pairs of damaged samples and strangers are excused: two black pictures do look alike.
    """
    pairs = _pairs(data, snapshot, detector)
    roots = dict(truth.drop_nulls("of").select("sample_id", "of").iter_rows())
    spoilt = [kind for kind, defect in data.defects.items() if defect.how in ("damage", "stranger")]
    damaged = set(truth.filter(pl.col("kind").is_in(spoilt))["sample_id"])
    kinds = dict(truth.select("sample_id", "kind").iter_rows())
    finds, families = detectors(data)[detector], _families(snapshot, detector)
    rows = []
    for sample_id, of, kind in truth.drop_nulls("of").select("sample_id", "of", "kind").iter_rows():
        if kind in finds:
            similarity = families(sample_id, of)
            rows.append((sample_id, kind, "planted", similarity or 0.0, similarity is not None))
    for a, b, similarity in pairs.iter_rows():
        if roots.get(a, a) != roots.get(b, b):
            role = "excused" if a in damaged and b in damaged else "clean"
            rows.append((a, kinds.get(a), role, similarity, True))
    samples = read_table(snapshot, "samples")["sample_id"]
    named = {row[0] for row in rows}
    rows += [(key, None, "clean", 0.0, False) for key in samples if key not in named]
    return pl.DataFrame(rows, schema=JUDGEMENT, orient="row")


def _pairs(data: Modality, snapshot: Snapshot, detector: str) -> pl.DataFrame:
    """The pairs that a detector claims: a member and its kept one, or two samples in two splits."""
    if detector == "leaks":
        leaks = read_table(snapshot, "leaks")
        return leaks.select("sample_id", "other_id", "similarity")
    members = read_table(snapshot, "duplicates").filter(~pl.col("keep"))
    exact = pl.col("tier").is_in(["bytes", data.copies.equal if data.copies else ""])
    mine = exact if detector == "exact duplicates" else ~exact
    return members.filter(mine).select("sample_id", "group_id", "similarity")


def _families(snapshot: Snapshot, detector: str) -> Callable[[str, str], float | None]:
    """A function `(a, b) → similarity`, or None where the snapshot does not tie the two."""
    if detector == "leaks":
        leaks = read_table(snapshot, "leaks").select("sample_id", "other_id", "similarity")
        tied = {frozenset((a, b)): s for a, b, s in leaks.iter_rows()}
        return lambda a, b: tied.get(frozenset((a, b)))
    members = read_table(snapshot, "duplicates").select("sample_id", "group_id", "similarity")
    groups = {sample_id: (group, similarity) for sample_id, group, similarity in members.iter_rows()}

    def tie(a: str, b: str) -> float | None:
        if a in groups and b in groups and groups[a][0] == groups[b][0]:
            return min(groups[a][1], groups[b][1])
        return None

    return tie


def summarize(
    detector: str, rows: pl.DataFrame, already: float | None = None, rounds: int = 1, draws: int = 200, seed: int = 0
) -> Judged:
    """Counts and average precision of one judgement, of what was planted and of what the data have of their own.

    Args:
        rows: one judgement, or those of several rounds of planting one below the other.
        already: estimated number of true defects of this kind in the data. As large a share of them is taken to be
            flagged as of the planted ones, so that many of the flagged clean ones are not wrong. Where it is not given,
            it is bounded by the planted ones' scores (`most_alike`), and what was flagged `earlier` is not judged.
        rounds: of planting, that `rows` has.
        draws: bootstrap samples for the 95% intervals; 0 leaves them out.
    """
    considered = rows.filter(~pl.col("role").is_in(["excused", "earlier"]))
    planted = (considered["role"] == "planted").to_numpy()
    flag = considered["is_issue"].to_numpy()
    n, found = int(planted.sum()), int((flag & planted).sum())
    spared = (already or 0.0) * rounds * found / n if n else 0.0
    wrong = max(0, round(int((flag & ~planted).sum()) - spared))
    if not n:
        return Judged(detector, 0, 0, wrong, None, None, None)
    ranking = _ranking(considered)
    value = average_precision(ranking.score, planted, (already or 0.0) * rounds)
    low, high = (
        bootstrap(ranking, [(already or 0.0) * rounds], draws, seed, average_precision) if draws else (None, None)
    )
    return Judged(detector, n, found, wrong, value, low, high, **_own(rows, already, rounds, draws, seed))


@dataclass(frozen=True)
class Ranking:
    """A judgement as arrays, each (n,): scores, which were planted, and a code of each sample, alike in all rounds."""

    score: np.ndarray
    planted: np.ndarray
    sample: np.ndarray


def _ranking(rows: pl.DataFrame) -> Ranking:
    planted = (rows["role"] == "planted").to_numpy()
    return Ranking(rows["score"].to_numpy(), planted, np.unique(rows["sample_id"], return_inverse=True)[1])


def _own(rows: pl.DataFrame, already: float | None, rounds: int, draws: int, seed: int) -> dict[str, float | None]:
    """What is said of the data's own defects; the number alone where there are fewer than FEW."""
    judged = rows.filter(pl.col("role") != "excused")
    ranking = _ranking(judged)
    alike = most_alike(ranking.score, ranking.planted)
    found = judged.filter(pl.col("role") == "planted")["is_issue"].to_numpy()
    number = alike if len(found) and found.mean() >= ENOUGH else None
    if already is not None:  # two estimates that err to the same side; the bound is the noisier one
        number = already * rounds
        number = (number * min(number, alike or np.inf)) ** 0.5
    flagged = judged["is_issue"].to_numpy() & ~ranking.planted
    said = {"already": None if number is None else number / rounds, "own_flagged": float(flagged.sum()) / rounds}
    if number is None or number < FEW * rounds:
        return said
    bad = share_bad(ranking.score, ranking.planted, number, np.ones(len(judged)))
    value = own_average_precision(ranking.score, ranking.planted, number)
    numbers = [number * (1 + UNSURE * step) for step in (-1.0, -0.5, 0.0, 0.5, 1.0)]
    low, high = bootstrap(ranking, numbers, draws, seed, own_average_precision) if draws else (None, None)
    return said | {
        "own_precision": float(bad[flagged].mean()) if flagged.any() else None,
        "own_average_precision": value,
        "own_low": None if low is None else min(low, value),
        "own_high": None if high is None else max(high, value),
    }


def average_precision(
    score: np.ndarray, planted: np.ndarray, already: float = 0.0, weight: np.ndarray | None = None
) -> float:
    """Mean over the defects of the precision at each one's score; ties share the lower precision.

    Each clean sample counts as a defect in part where `already` of them are estimated to be (`share_bad`); with 0 this
    is the usual average precision. Five samples with scores 5, 4, 3, 2, 1, of which the first and the third were
    planted: (1/1 + 2/3) ÷ 2 = 0.833.

    Args (each (n,)): scores; which were planted; optional weights (counts of a bootstrap).
    """
    weight = np.ones(len(score)) if weight is None else weight
    return _precision_at_hits(score, np.where(planted, 1.0, share_bad(score, planted, already, weight)), weight)


def own_average_precision(
    score: np.ndarray, planted: np.ndarray, already: float, weight: np.ndarray | None = None
) -> float:
    """The same over the samples that nothing was planted in: of `already` defects among these alone."""
    weight = np.ones(len(score)) if weight is None else weight
    bad = share_bad(score, planted, already, weight)
    return _precision_at_hits(score[~planted], bad[~planted], weight[~planted])


def _precision_at_hits(score: np.ndarray, bad: np.ndarray, weight: np.ndarray) -> float:
    """Average precision where each sample is a defect with the chance `bad`; 0 where none is."""
    bad = bad * weight
    if not bad.sum():
        return 0.0
    order = np.argsort(-score, kind="stable")
    ranked, hits = score[order], bad[order]
    last_of_tie = np.searchsorted(-ranked, -ranked, side="right") - 1
    precision = np.cumsum(hits)[last_of_tie] / np.maximum(np.cumsum(weight[order])[last_of_tie], 1e-12)
    return float((precision * hits).sum() / hits.sum())


def most_alike(score: np.ndarray, planted: np.ndarray) -> float | None:
    """At most so many of the others can be defects like the planted ones; None where most of these are not ranked.

    Where r of the planted ones and N of the others score at least as high, no more than N ÷ r of the others can be
    distributed as the planted ones are; the least of these bounds from the planted ones' median down to their lowest
    tenth (Blanchard, Lee & Scott 2010).
    """
    hits, others = score[planted], score[~planted]
    if not len(hits):
        return None
    limits = [limit for limit in np.quantile(hits, np.linspace(0.1, 0.5, 9), method="lower") if limit > 0]
    bounds = [(others >= limit).sum() / (hits >= limit).mean() for limit in limits]
    return float(min(bounds)) if bounds else None


def share_bad(score: np.ndarray, planted: np.ndarray, already: float, weight: np.ndarray) -> np.ndarray:
    """(n,) probability that each sample that was not planted is a defect too; they sum to `already`.

    The planted ones are taken as a fair sample of all defects (Elkan & Noto 2008). With q the share of planted ones at
    a score, made to rise with the score (isotonic regression), the odds q ÷ (1 − q) are those of a defect among the
    others, up to a factor; the factor is the one that gives the right sum.
    """
    others = ~planted & (weight > 0)
    if already <= 0 or not others.any():
        return np.zeros(len(score))
    from sklearn.isotonic import IsotonicRegression

    there = weight > 0
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit(score[there], planted[there], sample_weight=weight[there])
    share = np.where(there, fitted.predict(score), 0.0)
    odds = share / np.maximum(1.0 - share, 1e-9)
    low, high = 0.0, 1e9
    for _ in range(60):
        middle = (low * high) ** 0.5 if low > 0 else high / 1e6
        total = (np.minimum(1.0, middle * odds) * weight)[others].sum()
        low, high = (middle, high) if total < already else (low, middle)
    return np.where(others, np.minimum(1.0, low * odds), 0.0)


def bootstrap(
    ranking: Ranking, already: Sequence[float], draws: int, seed: int, measure: Callable[..., Any] = average_precision
) -> tuple[float, float]:
    """95% percentile interval of a measure, planted ones drawn one by one and the others by the sample.

    Args:
        already: numbers of defects among the others, taken in turn, so that the interval holds what is unsure of them.
        measure: `(score, planted, already, weight)` → value.
    """
    rng = np.random.default_rng(seed)
    hits, values = np.flatnonzero(ranking.planted), np.empty(draws)
    n_samples = int(ranking.sample.max(initial=-1)) + 1
    for draw in range(draws):
        weight = np.bincount(rng.integers(n_samples, size=n_samples), minlength=n_samples)[ranking.sample].astype(float)
        weight[hits] = np.bincount(rng.integers(len(hits), size=len(hits)), minlength=len(hits)) if len(hits) else 0
        values[draw] = measure(ranking.score, ranking.planted, already[draw % len(already)], weight)
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def by_kind(judgements: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """`detector, kind, planted, found` per kind of planted defect."""
    rows = []
    for detector, judgement in judgements.items():
        planted = judgement.filter(pl.col("role") == "planted")
        for (kind,), here in planted.group_by("kind", maintain_order=True):
            rows.append((detector, kind, len(here), int(here["is_issue"].sum())))
    schema = {"detector": pl.String, "kind": pl.String, "planted": pl.Int64, "found": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")
