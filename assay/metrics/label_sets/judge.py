"""Labels that are sets of classes, judged: each class counts once for every sample that carries it.

Measures that are not defined for sets are left out: the noise matrix, silhouettes and overlaps, `off_class`, the
    accuracy of a
probe in groups, spurious correlations, and what acting on the findings is worth.
"""

import numpy as np
import polars as pl

from assay.metrics import pairs
from assay.metrics.inputs import Inputs
from assay.metrics.judgement import BY_CHANCE, PROPOSALS, Judgement, Numbers, finding_rows, label_measure
from assay.metrics.label_sets.beliefs import SetBeliefs, believe_sets
from assay.metrics.label_sets.codes import Sets
from assay.metrics.label_sets.findings import SetFindings, exact, find_sets, informative
from assay.metrics.labels import confident, proposals
from assay.metrics.measures import of_samples


def sets_of(inputs: Inputs) -> Sets:
    """The classes behind labels that are sets."""
    assert inputs.sets is not None, "the labels are no sets"
    return inputs.sets


def judge_sets(inputs: Inputs) -> Judgement:
    """What was found of labels that are sets of classes."""
    section = inputs.spec.metrics
    beliefs = believe_sets(inputs.corpus, inputs.cases, sets_of(inputs).carried, section.folds, section.seed)
    found, told = find_sets(beliefs), informative(beliefs)
    findings = label_findings(inputs, beliefs, found, told)
    proposed, quality = label_proposals(inputs, beliefs, found, told)
    numbers: Numbers = {} if told else {"label_issues_note": BY_CHANCE}
    return Judgement(
        findings=findings,
        class_noise=found.noise,
        class_recall=recall_of_classes(beliefs),
        flags=class_flags(inputs, beliefs, found),
        measures=[label_measure(findings), *class_measures(inputs, beliefs, found)],
        proposals=proposed,
        quality=quality,
        numbers=numbers | noise_numbers(beliefs, found, told),
    )


def class_measures(inputs: Inputs, beliefs: SetBeliefs, found: SetFindings) -> list[pl.DataFrame]:
    """The metrics `wrong_class` and `missing_class`: the score of each, and how many classes are."""
    rows, case = inputs.case_of_samples
    rows, case = rows[beliefs.known[case]], case[beliefs.known[case]]
    out = []
    for name, score, mine, verdict in (
        ("wrong_class", found.wrong, beliefs.carried, found.of_wrong),
        ("missing_class", found.missing, ~beliefs.carried, found.of_missing),
    ):
        n = np.bincount(beliefs.case[found.flagged & mine], minlength=len(beliefs.unit))
        out.append(of_samples(inputs, name, rows, score[case], n[case].astype(float), verdict.of(case)))
    return out


def label_findings(inputs: Inputs, beliefs: SetBeliefs, found: SetFindings, told: bool) -> pl.DataFrame:
    """Rows of `label_findings`, of the samples with a vector."""
    rows, case = inputs.case_of_samples
    abstains = ~beliefs.known & ((found.confidence < proposals.ABSTAIN_BELOW) | (not told))
    proposed = proposed_texts(inputs, beliefs, found.proposed)
    texts = pl.select(pl.when(pl.Series(~abstains)).then(proposed)).to_series()
    columns = {
        "suggested_label": texts.gather(case),
        "confidence": found.confidence[case],
        "score": found.score[case],
        "other_label": proposed_texts(inputs, beliefs, found.other).gather(case),
        "other_confidence": found.other_confidence[case],
        **found.verdict.of(case).columns(),
    }
    return finding_rows(inputs, rows, columns)


def proposed_texts(inputs: Inputs, beliefs: SetBeliefs, proposed: np.ndarray) -> pl.Series:
    """(m,) the canonical text of the set of each case's `proposed` pairs (p,)."""
    separator = sets_of(inputs).separator
    names = pl.Series(sets_of(inputs).names, dtype=pl.String).gather(beliefs.label[proposed])
    chosen = pl.DataFrame({"case": beliefs.case[proposed], "name": names}, schema_overrides={"name": pl.String})
    texts = chosen.group_by("case", maintain_order=True).agg(pl.col("name").str.join(separator))
    every = pl.DataFrame({"case": np.arange(len(beliefs.unit))})
    return every.join(texts, on="case", how="left", maintain_order="left")["name"].fill_null(separator)


def class_flags(inputs: Inputs, beliefs: SetBeliefs, found: SetFindings) -> pl.DataFrame:
    """Columns sample_id, label: a row for each class that a sample carries and that is flagged as wrong."""
    rows, case = inputs.case_of_samples
    wrong = found.flagged & beliefs.carried
    classes = pl.DataFrame(
        {
            "case": beliefs.case[wrong],
            "label": pl.Series(sets_of(inputs).names, dtype=pl.String).gather(beliefs.label[wrong]),
        },
        schema={"case": pl.Int64, "label": pl.String},
    )
    members = pl.DataFrame({"sample_id": inputs.corpus.samples["sample_id"].gather(rows), "case": case})
    return members.join(classes, on="case").select("sample_id", "label").sort("sample_id", "label")


def recall_of_classes(beliefs: SetBeliefs) -> np.ndarray:
    """(n_classes,) share of each class's carriers to which the out-of-fold probe gives it; NaN without a probe."""
    mine = beliefs.carried & beliefs.known[beliefs.case] & np.isfinite(beliefs.probe)
    total = np.bincount(beliefs.label[mine], minlength=beliefs.n_classes)
    hits = np.bincount(beliefs.label[mine], beliefs.probe[mine] > 0.5, beliefs.n_classes)
    return np.where(total > 0, hits / np.maximum(total, 1), np.nan)


def noise_numbers(beliefs: SetBeliefs, found: SetFindings, told: bool) -> Numbers:
    """The estimated share of samples whose set is wrong, its interval, and how well the probe tells the classes."""
    numbers: Numbers = {}
    total = float(beliefs.n[beliefs.known].sum())
    if told:
        wrong = float((wrong_chance(beliefs, found) * beliefs.n)[beliefs.known].sum())
        low, high = confident.wilson(np.array([wrong / total]), np.array([total]))
        note = "share of samples whose set of classes is wrong"
        confident.add_noise_rate(numbers, wrong / total, (float(low[0]), float(high[0])), note)
    known = np.isfinite(beliefs.auc)
    if known.any():
        note = "mean over the classes, each against the rest; 0.5 is chance"
        numbers["label_probe_auc"] = (float(beliefs.auc[known].mean()), note)
    return numbers


def wrong_chance(beliefs: SetBeliefs, found: SetFindings) -> np.ndarray:
    """(m,) the mean of two estimates: the chance that any class is wrong, taking classes as independent, which adds up
    many small doubts; and whether one is flagged, which ignores them."""
    right = pairs.total(beliefs.case, np.log1p(-np.minimum(found.suspicion, 1 - 1e-9)), len(beliefs.unit))
    return (1 - np.exp(right) + found.is_issue) / 2


def label_proposals(
    inputs: Inputs, beliefs: SetBeliefs, found: SetFindings, told: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Proposed sets for the unlabelled samples, and their measured quality: the share that is right in every class."""
    rows, case = inputs.case_of_samples
    rows, case = rows[~beliefs.known[case]], case[~beliefs.known[case]]
    confidence = found.confidence[case]
    sure = (confidence >= proposals.ABSTAIN_BELOW) & told
    texts = proposed_texts(inputs, beliefs, found.proposed).gather(case)
    made = pl.DataFrame(
        {
            "sample_id": inputs.corpus.samples["sample_id"].gather(rows),
            "column": ["label"] * len(rows),
            "proposed": pl.select(pl.when(pl.Series(sure, dtype=pl.Boolean)).then(texts)).to_series(),
            "confidence": confidence,
        },
        schema=PROPOSALS,
    )
    judged = beliefs.known & (beliefs.share > 0.999)
    right = exact(beliefs, found.belief)[judged]
    return made, proposals.coverage_table("label", found.blind[judged], right, right)
