"""Group columns: who is represented, which groups the vectors reveal, which the label probe serves worse; and LEACE.

torch and scikit-learn are imported where they are used: `judge` takes the codings from here every night.
"""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from assay.contracts.tables import Samples
from assay.knn.principal import principal
from assay.metrics.corpus import Coding, Corpus, code
from assay.store.evenly import evenly

if TYPE_CHECKING:
    from assay.metrics.probe import Learner, Space

VALUE_LIMIT = 200  # a column with more different values is an identifier or a measurement, not a group
PENALTY = 0.3
AUC_ROWS = 200_000  # that the areas are measured on


def group_codings(
    samples: pl.DataFrame, wanted: tuple[str, ...] | None, without: tuple[str, ...] = ()
) -> tuple[list[Coding], dict[str, str]]:
    """`(codings, notes)`: the columns of `samples` that can be grouped by, and why the others were left out. If no
    columns are `wanted` by name, all further columns are considered but those of `without`."""
    further = [name for name in samples.columns if name not in (*Samples.columns(), *without)]
    names = further if wanted is None else [name for name in wanted if name in samples.columns]
    notes = {name: "no such column in the source" for name in (wanted or ()) if name not in samples.columns}
    codings = []
    for name in names:
        coding = code(samples, name)
        if not coding.names:
            notes[name] = "every value is missing"
        elif len(coding.names) > min(VALUE_LIMIT, max(2, len(samples) // 2)):
            notes[name] = f"{len(coding.names)} different values; a group column has at most {VALUE_LIMIT}"
        else:
            codings.append(coding)
    return codings, notes


def attributes(samples: pl.DataFrame, codings: list[Coding]) -> pl.DataFrame:
    """The group columns unpivoted: sample_id, column, value; missing values left out."""
    schema = {"sample_id": pl.String, "column": pl.String, "value": pl.String}
    frames = [pl.DataFrame(schema=schema)]
    for coding in codings:
        known = np.nonzero(coding.codes >= 0)[0]
        values = pl.Series(coding.names, dtype=pl.String).gather(coding.codes[known])
        ids = samples["sample_id"].gather(known)
        columns = {"sample_id": ids, "column": [coding.column] * len(known), "value": values}
        frames.append(pl.DataFrame(columns, schema=schema))
    return pl.concat(frames)


def unit_codes(corpus: Corpus, codes: np.ndarray) -> np.ndarray:
    """(n_units,) code of the first member of each unit that has one, −1 where none has."""
    out = np.full(corpus.n_units, -1, dtype=np.int64)
    known = np.nonzero((corpus.unit >= 0) & (codes >= 0))[0][::-1]
    out[corpus.unit[known]] = codes[known]
    return out


def group_probe(
    features: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    folds: int,
    seed: int,
    contents: pl.Series | None = None,
    space: "Space | None" = None,
    learner: "Learner | None" = None,
) -> np.ndarray | None:
    """(n_classes,) out-of-fold AUC of telling each value from the rest; NaN for values of fewer than two units. With
    `contents` (n,) units keep their folds from night to night; `space`, `learner`: see `probe.py`.

    None where there is nothing to tell apart or it would take too long.
    """
    from assay.metrics import probe

    known = np.nonzero(codes >= 0)[0]
    if len(np.unique(codes[known])) < 2 or not probe.fits(len(known), n_classes, folds, features.shape[1]):
        return None
    fold = np.full(len(codes), -1)
    named = None if contents is None else contents.gather(known)
    fold[known] = probe.stratified_folds(codes[known], folds, seed, named)
    problem = probe.Problem(features, known, codes[known], np.ones(len(known)), fold, n_classes, folds, space=space)
    some = known[evenly(len(known), AUC_ROWS)]
    logits = probe.predict(problem, PENALTY, learner)[some]
    log_p = logits - np.logaddexp.reduce(logits.astype(np.float64), axis=1)[:, None]
    return np.array([auc(log_p[:, c], codes[some] == c) for c in range(n_classes)])


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN with fewer than two of either kind."""
    if min(positive.sum(), (~positive).sum()) < 2:
        return float("nan")
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, score))


def leace(vectors: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """A copy of the vectors from which no linear probe can read the group (Belrose et al. 2023, closed form).

    x ← x − Σ^½ P Σ^−½ (x − μ) with P the projection onto the columns of Σ^−½ Σ_xz. Rows without a group (−1) are
    moved alike but not fitted on.
    """
    known = codes >= 0
    x = vectors[known].astype(np.float64)
    mean, values, axes = principal(x)
    centered = x - mean
    one_hot = np.eye(int(codes.max()) + 1)[codes[known]]
    cross = centered.T @ (one_hot - one_hot.mean(axis=0)) / len(x)
    kept = values > max(values.max(), 0.0) * 1e-9 + 1e-30
    root = np.sqrt(values[kept])
    whiten = (axes[:, kept] / root).T
    color = axes[:, kept] * root
    left, size, _ = np.linalg.svd(whiten @ cross, full_matrices=False)
    basis = left[:, size > 1e-8 * max(size.max(initial=0.0), 1e-30)]
    change = ((vectors - mean) @ whiten.T @ basis) @ (color @ basis).T
    return (vectors - change).astype(np.float32)
