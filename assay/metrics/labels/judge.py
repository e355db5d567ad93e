"""Labels of one class, judged: beliefs, what a noise model makes of them, and the rows that follow."""

import dataclasses

import numpy as np
import polars as pl

from assay.metrics.inputs import Inputs
from assay.metrics.judgement import BY_CHANCE, Judgement, Numbers, finding_rows, label_measure
from assay.metrics.labels import beliefs, confident, proposals
from assay.metrics.labels.beliefs import Beliefs
from assay.metrics.labels.confident import Findings
from assay.metrics.verdict import none_of


def judge_labels(inputs: Inputs) -> Judgement:
    """What was found of labels of one class each; needs two classes."""
    section, names = inputs.spec.metrics, inputs.labels.names
    learner = inputs.learner("label", names)
    believed = beliefs.believe(inputs.corpus, inputs.cases, len(names), section.folds, section.seed, learner)
    found, numbers = confident.find(believed), {}
    if not beliefs.better_than_chance(believed):
        found = dataclasses.replace(found, verdict=none_of(len(found.score)), joint=found.joint.clear())
        numbers["label_issues_note"] = BY_CHANCE
    findings = label_findings(inputs, believed, found)
    told = believed.label[believed.best(believed.probe)] == believed.given
    noise = confident.noise_table(found.joint, names, bounds(found))
    ids, unit, codes = inputs.corpus.samples["sample_id"], inputs.corpus.unit, inputs.labels.codes
    return Judgement(
        findings=findings,
        noise=noise,
        class_noise=noise_of_classes(found.joint, len(names)),
        class_recall=recall_of_classes(believed, told),
        flags=findings.filter(pl.col("stays") & pl.col("label").is_not_null()).select("sample_id", "label"),
        measures=[label_measure(findings)],
        proposals=proposals.propose("label", names, believed, found.model, ids, unit, codes),
        quality=proposals.quality("label", believed, found.model),
        numbers=numbers | noise_numbers(believed, found, told, inputs.memory.history("label") if inputs.memory else ""),
        told=told,
        repairs=(found.is_issue, found.suggested),
    )


def label_findings(inputs: Inputs, believed: Beliefs, found: Findings) -> pl.DataFrame:
    """Rows of `label_findings`."""
    rows, case = inputs.case_of_samples
    known = inputs.labels.codes[rows] >= 0
    names = pl.Series(inputs.labels.names, dtype=pl.String)
    suggested = found.suggested[case]
    confidence = found.confidence[case]
    unsure = (confidence < proposals.ABSTAIN_BELOW) | (not beliefs.better_than_chance(believed))
    abstains = (suggested < 0) | (~known & unsure)
    proposed = pl.select(pl.when(pl.Series(~abstains)).then(names.gather(np.maximum(suggested, 0)))).to_series()
    columns = {
        "suggested_label": proposed,
        "confidence": confidence,
        "score": found.score[case],
        "other_label": names.gather(found.other[case]),
        "other_confidence": found.other_confidence[case],
        **found.verdict.of(case).columns(),
    }
    return finding_rows(inputs, rows, columns)


def bounds(found: Findings) -> tuple[float, float]:
    """Ends of the interval of the rate of wrong labels, as parts and multiples of the rate."""
    model = found.model
    return (model.low / model.rate, model.high / model.rate) if model.rate > 0 else (1.0, 1.0)


def noise_of_classes(joint: pl.DataFrame, n_classes: int) -> np.ndarray:
    """(n_classes,) the estimated share of wrong labels in each class; NaN where nothing is estimated of it."""
    given, count = joint["given"].to_numpy(), joint["count"].to_numpy()
    wrong = given != joint["true"].to_numpy()
    size, off = np.bincount(given, count, n_classes), np.bincount(given[wrong], count[wrong], n_classes)
    return np.where(size > 0, np.minimum(off / np.maximum(size, 1e-12), 1.0), np.nan)


def recall_of_classes(believed: Beliefs, told: np.ndarray) -> np.ndarray:
    """(n_classes,) share of each class's cases that the out-of-fold probe gives their own label; NaN without cases."""
    given, n = believed.given, believed.n_classes
    known = given >= 0
    total = np.bincount(given[known], minlength=n)
    return np.where(total > 0, np.bincount(given[known], told[known], n) / np.maximum(total, 1), np.nan)


def noise_numbers(believed: Beliefs, found: Findings, told: np.ndarray, history: str = "") -> Numbers:
    """How well the vectors know the labels; and where they do, the estimated share of wrong ones with its interval.
    `history`: what the probe went on from."""
    numbers: Numbers = {}
    total = float(found.joint["count"].sum())
    if total:
        wrong = float(found.joint.filter(pl.col("given") != pl.col("true"))["count"].sum())
        rate, model = wrong / total, found.model
        interval = (min(model.low, rate), max(model.high, rate))
        confident.add_noise_rate(numbers, rate, interval, "estimated share of wrong labels")
    known = believed.given >= 0
    weight, top = believed.n[known], believed.label[believed.best(believed.vote)]
    numbers["label_probe_accuracy"] = (float(np.average(told[known], weights=weight)), f"out of fold{history}")
    agreed = (top == believed.given)[known]
    numbers["label_knn_accuracy"] = (float(np.average(agreed, weights=weight)), "weighted vote")
    return numbers
