"""Labels of the batch that the snapshot's samples contradict.

The batch's labels are hidden, and a probe and the neighbours' vote, both of the snapshot's labels alone, say what they
think of each class. Believed as little as a given label, or less, are a share of the snapshot's own trusted labels
(out of fold); that share is the chance to be so surprised by a label that is right. What is flagged are the labels
least believed, as many as can be named while at most `FALSE` of them would be expected by chance (Benjamini & Hochberg
1995), and each only where another class is believed by `SURE`, and no copy of it in the snapshot has the same label.
"""

import dataclasses

import numpy as np
import polars as pl

from assay.metrics import pairs
from assay.metrics.inputs import Inputs
from assay.metrics.labels.beliefs import Beliefs, believe, better_than_chance

FALSE = 0.1
SURE = 0.5
LEAST = 1e-4  # belief below which there are no differences any more
SCHEMA = {
    "sample_id": pl.String,
    "label": pl.String,
    "suggested_label": pl.String,
    "confidence": pl.Float64,
    "belief": pl.Float64,
    "share": pl.Float64,
}


def judge_labels(inputs: Inputs, is_new: pl.Series, flagged: pl.Series) -> tuple[pl.DataFrame, str]:
    """`(rows, note)`: rows of `label_issues` under the joined ids, and why there are none where none were looked for.

    Args:
        inputs: of snapshot and batch.
        is_new: (n_samples,) bool, the batch's.
        flagged: sample ids of the snapshot whose label is in doubt.
    """
    given, none = inputs.corpus.samples["label"], pl.DataFrame(schema=SCHEMA)
    if inputs.sets is not None:
        return none, "labels that are sets are not compared"
    hidden = inputs.corpus.samples.with_columns(label=pl.when(~is_new).then(pl.col("label")))
    known = Inputs(inputs.spec, dataclasses.replace(inputs.corpus, samples=hidden), inputs.tables, inputs.spill)
    if not known.enough:
        return none, "the snapshot has no two classes with vectors"
    section, names = known.spec.metrics, known.labels.names
    believed = believe(known.corpus, known.cases, len(names), section.folds, section.seed)
    if not better_than_chance(believed):
        return none, "the vectors tell labels no better than chance"
    rows, case = known.case_of_samples
    asked = is_new.to_numpy()[rows] & given.is_not_null().to_numpy()[rows] & (believed.given[case] < 0)
    rows, case = rows[asked], case[asked]
    codes = pl.DataFrame({"label": names, "code": np.arange(len(names))})
    asked_for = given.gather(rows).to_frame("label").join(codes, on="label", how="left", maintain_order="left")["code"]
    code = asked_for.fill_null(-1).to_numpy()
    unit = believed.unit[case]
    agreed = np.isin(pairs.keys(unit, code, len(names)), pairs.keys(believed.unit, believed.given, len(names))) & (
        code >= 0
    )
    rows, case, code = rows[~agreed], case[~agreed], code[~agreed]
    doubted = np.zeros(len(believed.unit), dtype=bool)
    every, of_case = known.case_of_samples
    doubted[of_case[hidden["sample_id"].is_in(flagged.implode()).to_numpy()[every]]] = True
    return _issues(believed, doubted, case, code, hidden["sample_id"].gather(rows), names), ""


def _issues(
    believed: Beliefs, doubted: np.ndarray, case: np.ndarray, code: np.ndarray, ids: pl.Series, names: list[str]
) -> pl.DataFrame:
    """The flagged ones of some samples, by their cases and the codes of their labels (−1: a class nobody knows)."""
    own = believed.of_given(believed.belief)[(believed.given >= 0) & ~doubted]
    belief = pairs.look_up(
        pairs.keys(believed.case, believed.label, believed.n_classes),
        believed.belief,
        pairs.keys(case, np.maximum(code, 0), believed.n_classes),
    )
    best = believed.best(believed.belief)[case]
    trusted = np.sort(np.maximum(own, LEAST))
    share = (1 + np.searchsorted(trusted, np.maximum(belief, LEAST), side="right")) / (1 + len(trusted))
    known = code >= 0
    share = np.where(known, share, 1.0)
    flagged = by_chance_at_most(share, FALSE) & known
    flagged &= (believed.label[best] != code) & (believed.belief[best] >= SURE)
    columns = {
        "sample_id": ids,
        "label": pl.Series([names[c] if c >= 0 else None for c in code], dtype=pl.String),
        "suggested_label": pl.Series([names[label] for label in believed.label[best]], dtype=pl.String),
        "confidence": believed.belief[best],
        "belief": belief,
        "share": share,
    }
    frame = pl.DataFrame(columns, schema=SCHEMA)
    return frame.filter(pl.Series(flagged, dtype=pl.Boolean)).sort("share", "belief", "sample_id")


def by_chance_at_most(chance: np.ndarray, rate: float) -> np.ndarray:
    """(m,) the least likely ones, as many as leave at most `rate` of them to chance (Benjamini & Hochberg 1995).

    Args:
        chance: (m,) of each, to be so extreme.
    """
    order = np.argsort(chance, kind="stable")
    below = np.nonzero(chance[order] <= rate * np.arange(1, len(chance) + 1) / max(len(chance), 1))[0]
    out = np.zeros(len(chance), dtype=bool)
    out[order[: below[-1] + 1 if len(below) else 0]] = True
    return out
