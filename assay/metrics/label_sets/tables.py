"""The tables where labels are sets of classes: each class counts once for every sample that carries it.

What is not defined for sets is left out: the noise matrix, silhouettes and overlaps, `off_class`, the accuracy of a
probe in groups, spurious correlations, and what acting on the findings is worth.
"""

import numpy as np
import polars as pl

from assay.metrics.dataset import dataset
from assay.metrics.label_sets.beliefs import SetBeliefs, believe_sets, targets_of
from assay.metrics.label_sets.findings import SetFindings, exact, find_sets, informative
from assay.metrics.labels import confident, proposals
from assay.metrics.night import BY_CHANCE, Night, add_measure, case_of_samples


def judge(night: Night) -> None:
    """Beliefs and findings about the sets, and the measures `wrong_class` and `missing_class`."""
    section = night.spec.metrics
    beliefs = believe_sets(night.corpus, night.cases, night.sets.carried, section.folds, section.seed)
    night.set_findings = findings = find_sets(beliefs)
    night.set_beliefs = beliefs
    if not informative(beliefs):
        night.metrics["label_issues_note"] = BY_CHANCE
    rows, case = case_of_samples(night)
    rows, case = rows[beliefs.known[case]], case[beliefs.known[case]]
    for name, score, mine in (
        ("wrong_class", findings.wrong, beliefs.carried),
        ("missing_class", findings.missing, ~beliefs.carried),
    ):
        n = np.bincount(beliefs.case[findings.flagged & mine], minlength=len(beliefs.unit))
        add_measure(night, name, rows, score[case], n[case].astype(float), (n > 0)[case])


def label_issues(night: Night) -> dict[str, pl.Series | np.ndarray]:
    """The columns of `label_issues` after the label, of the samples with a vector."""
    beliefs, found, case = night.set_beliefs, night.set_findings, case_of_samples(night)[1]
    proposed = proposed_texts(night, found)
    abstains = ~beliefs.known & ((found.confidence < proposals.ABSTAIN_BELOW) | (not informative(beliefs)))
    texts = pl.select(pl.when(pl.Series(~abstains)).then(proposed)).to_series()
    return {
        "suggested_label": texts.gather(case),
        "confidence": found.confidence[case],
        "score": found.score[case],
        "is_issue": found.is_issue[case],
    }


def proposed_texts(night: Night, found: SetFindings) -> pl.Series:
    """(m,) the canonical text of each case's corrected or proposed set."""
    beliefs, sets = night.set_beliefs, night.sets
    names = pl.Series(sets.names, dtype=pl.String).gather(beliefs.label[found.proposed])
    pairs = pl.DataFrame({"case": beliefs.case[found.proposed], "name": names}, schema_overrides={"name": pl.String})
    texts = pairs.group_by("case", maintain_order=True).agg(pl.col("name").str.join(sets.separator))
    every = pl.DataFrame({"case": np.arange(len(beliefs.unit))})
    return every.join(texts, on="case", how="left", maintain_order="left")["name"].fill_null(sets.separator)


def classes(night: Night) -> pl.DataFrame:
    """The `classes` table."""
    queries, sets = night.queries, night.sets
    names, codes = pl.Series(sets.names, dtype=pl.String), np.arange(len(sets.names), dtype=np.int32)
    targets = targets_of(night.corpus.n_units, night.cases, sets.carried)
    entries = targets.units.tocoo()
    queries.table(
        "cases",
        pl.DataFrame(
            {"unit": entries.row.astype(np.int32), "label": entries.col.astype(np.int32), "share": entries.data}
        ),
    )
    queries.table("labelled", pl.DataFrame({"unit": np.nonzero(targets.mass > 0)[0].astype(np.int32)}))
    noise = np.full(len(codes), np.nan) if night.set_findings is None else night.set_findings.noise
    frame = pl.DataFrame({"code": codes, "label": names, "noise": noise, "probe_accuracy": probe_recall(night)})
    for table in (
        queries.run("set_purity"),
        queries.run("class_coverage", radius=dataset.reference_radius(night.corpus)),
    ):
        frame = frame.join(table, left_on="code", right_on="label", how="left")
    queries.table("class_vectors", frame.sort("code").with_columns(pl.col("noise", "probe_accuracy").fill_nan(None)))
    queries.table("class_flags", class_flags(night))
    return queries.run("set_classes")


def class_flags(night: Night) -> pl.DataFrame:
    """Column label: a row for each sample and class that it carries and that is flagged as wrong."""
    if night.set_findings is None:
        return pl.DataFrame(schema={"label": pl.String})
    beliefs = night.set_beliefs
    flagged = night.set_findings.flagged & beliefs.carried
    dismissed = night.dismissed.filter(pl.col("metric") == "label_issue")["sample_id"]
    rows, case = case_of_samples(night)
    stands = ~night.corpus.samples["sample_id"].gather(rows).is_in(dismissed.implode()).to_numpy()
    members = np.bincount(case[stands], minlength=len(beliefs.unit))[beliefs.case[flagged]]
    names = pl.Series(night.sets.names, dtype=pl.String)
    return names.gather(np.repeat(beliefs.label[flagged], members)).alias("label").to_frame()


def probe_recall(night: Night) -> np.ndarray:
    """(n_classes,) share of each class's carriers to which the out-of-fold probe gives it; NaN without a probe."""
    beliefs = night.set_beliefs
    if beliefs is None:
        return np.full(len(night.sets.names), np.nan)
    mine = beliefs.carried & beliefs.known[beliefs.case] & np.isfinite(beliefs.probe)
    total = np.bincount(beliefs.label[mine], minlength=beliefs.n_classes)
    hits = np.bincount(beliefs.label[mine], beliefs.probe[mine] > 0.5, beliefs.n_classes)
    return np.where(total > 0, hits / np.maximum(total, 1), np.nan)


def noise_metrics(night: Night) -> None:
    """The estimated share of samples whose set is wrong, its interval, and how well the probe tells the classes."""
    beliefs, found = night.set_beliefs, night.set_findings
    if found is None:
        return
    total = float(beliefs.n[beliefs.known].sum())
    if informative(beliefs):
        wrong = float((wrong_chance(beliefs, found) * beliefs.n)[beliefs.known].sum())
        confident.add_noise_rate(night.metrics, wrong / total, total, "share of samples whose set of classes is wrong")
    known = np.isfinite(beliefs.auc)
    if known.any():
        mean = float(beliefs.auc[known].mean())
        night.metrics["label_probe_auc"] = (mean, "mean over the classes, each against the rest; 0.5 is chance")


def wrong_chance(beliefs: SetBeliefs, found: SetFindings) -> np.ndarray:
    """(m,) the mean of the chance that any class is wrong, taken as independent, and of whether one is flagged: the
    first sums many small doubts, the second ignores them all."""
    right = np.bincount(beliefs.case, np.log1p(-np.minimum(found.suspicion, 1 - 1e-9)), len(beliefs.unit))
    return (1 - np.exp(right) + found.is_issue) / 2


def label_proposals(night: Night) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Proposed sets for the unlabelled samples, and their measured quality: the share that is right in every class."""
    beliefs, found = night.set_beliefs, night.set_findings
    rows, case = case_of_samples(night)
    rows, case = rows[~beliefs.known[case]], case[~beliefs.known[case]]
    confidence = found.confidence[case]
    sure = (confidence >= proposals.ABSTAIN_BELOW) & informative(beliefs)
    texts = proposed_texts(night, found).gather(case)
    made = pl.DataFrame(
        {
            "sample_id": night.corpus.samples["sample_id"].gather(rows),
            "column": ["label"] * len(rows),
            "proposed": pl.select(pl.when(pl.Series(sure, dtype=pl.Boolean)).then(texts)).to_series(),
            "confidence": confidence,
        },
        schema={"sample_id": pl.String, "column": pl.String, "proposed": pl.String, "confidence": pl.Float64},
    )
    judged = beliefs.known & (beliefs.share > 0.999)
    right = exact(beliefs, found.belief)[judged]
    return made, proposals.coverage_table("label", found.blind[judged], right, right)
