"""Proposals for missing labels and numbers: how often they are right, and whether they know it.

    python benchmarks/detection/proposals.py [--datasets cora,…] [--kinds symmetric,…] [--rates 0,0.1,…]

Labels are taken away from three samples in ten, or from all but five of each class, and a share of those left is made
wrong. A group column goes through the same functions. Beside it on the same vectors and labels, and silent below the
same confidence: scikit-learn's logistic regression on the probe's axes, with its temperature fitted in five folds where
every class has five labels, and LabelSpreading over ten neighbours. Numbers are the mean pixel of the digits, and
width ÷ height and kilobytes of Caltech-101's files, taken away from three in ten; beside them a mean of 25 neighbours.
Writes benchmarks/results/proposals.json; `--table` prints it as Markdown.
"""

import dataclasses
import itertools
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from corrupt import KINDS, corrupt
from label_issues import calibration_error
from PIL import Image
from scipy.sparse import coo_array
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading
from trials import arguments, corpora, keep, stored
from vectors import caltech_files

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from assay.contracts.spec import make_spec
from assay.metrics import probe
from assay.metrics.corpus import Corpus
from assay.metrics.groups import gaps as numbers
from assay.metrics.groups.filling import fill_groups
from assay.metrics.inputs import Inputs
from assay.metrics.labels import beliefs
from assay.metrics.labels.confident import wilson
from assay.metrics.labels.judge import judge_labels
from assay.metrics.labels.proposals import ABSTAIN_BELOW, COVERAGES

RESULTS = ROOT / "benchmarks/results/proposals.json"
MISSING, FEW = 0.3, 5
NEIGHBORS = 10  # of LabelSpreading


def at_random(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) what is missing: MISSING of all."""
    return rng.random(len(truth)) < MISSING


def few(truth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) what is missing when FEW of each class are left."""
    order = rng.permutation(len(truth))
    order = order[np.argsort(truth[order], kind="stable")]
    rank = np.arange(len(order)) - np.searchsorted(truth[order], truth[order])
    missing = np.ones(len(truth), dtype=bool)
    missing[order[rank < FEW]] = False
    return missing


GAPS = {"30%": at_random, "all but 5 a class": few}


def inputs_of(corpus: Corpus, columns: dict) -> Inputs:
    """What the metrics are computed from, on samples with these further columns."""
    blank = {name: pl.Series([None] * corpus.n_units, dtype=pl.String) for name in ("label", "split", "content_hash")}
    position = pl.Series("position", np.arange(corpus.n_units))
    samples = corpus.samples.with_columns(position, **(blank | columns))
    spec = make_spec({"name": "b", "modality": "vectors", "source": {"kind": "table", "path": "none"}}, base=ROOT)
    return Inputs(spec, dataclasses.replace(corpus, samples=samples), {}, Path("none"))


def ours(corpus: Corpus, given: np.ndarray):
    """`(guess, confidence, proposed, published, seconds)`: of each gap the likeliest class, how sure that is, whether
    it is proposed; the published precision. A guess that is not proposed stands in no table, but in the beliefs."""
    inputs = inputs_of(corpus, {"label": pl.Series([None if code < 0 else f"{code:04d}" for code in given])})
    started = time.perf_counter()
    judgement = judge_labels(inputs)
    seconds = time.perf_counter() - started
    section, names = inputs.spec.metrics, inputs.labels.names
    believed = beliefs.believe(inputs.corpus, inputs.cases, len(names), section.folds, section.seed)
    likeliest = believed.label[believed.best(believed.belief)][believed.given < 0]
    guess = np.array(names)[likeliest].astype(int)
    made = judgement.proposals.sort("sample_id")
    proposed = made["proposed"].is_not_null().to_numpy()
    if (made["proposed"].drop_nulls().cast(int).to_numpy() != guess[proposed]).any():
        raise SystemExit("the proposals are not the likeliest classes")
    return guess, made["confidence"].to_numpy(), proposed, published(judgement.quality), seconds


def published(quality: pl.DataFrame) -> np.ndarray:
    """The precision at each coverage."""
    return quality.sort("coverage")["precision"].to_numpy()


def logistic(axes: np.ndarray, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(guess, confidence)` of the gaps."""
    known = given >= 0
    model = LogisticRegression(max_iter=200)
    if np.unique(given[known], return_counts=True)[1].min() >= 5:
        model = CalibratedClassifierCV(model, method="temperature", cv=5)
    chance = model.fit(axes[known], given[known]).predict_proba(axes[~known])
    return model.classes_[chance.argmax(axis=1)], chance.max(axis=1)


def spreading(corpus: Corpus, given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(guess, confidence)` of the gaps; where no label reaches, no confidence."""
    n = len(given)
    ends = np.repeat(np.arange(n), NEIGHBORS), corpus.neighbors[:, :NEIGHBORS].ravel()
    graph = coo_array((np.ones(n * NEIGHBORS), ends), shape=(n, n)).tocsr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LabelSpreading(kernel=lambda *_: graph, max_iter=100).fit(corpus.vectors, given)
    chance = np.nan_to_num(model.label_distributions_[given < 0])
    return model.classes_[chance.argmax(axis=1)], chance.max(axis=1)


def judged(right: np.ndarray, confidence: np.ndarray, proposed: np.ndarray) -> dict:
    """Precision with its 95% interval, coverage, calibration over all gaps, and how often the best guess is right."""
    n = int(proposed.sum())
    rate = float(right[proposed].mean()) if n else 0.0
    low, high = wilson(np.array([rate]), np.array([n]))
    return {
        "precision": [round(float(v), 4) for v in (rate, low[0], high[0])] if n else None,
        "coverage": round(float(proposed.mean()), 4),
        "ece": round(calibration_error(right, confidence), 4),
        "accuracy": round(float(right.mean()), 4),
    }


def against(told: np.ndarray, right: np.ndarray, confidence: np.ndarray) -> dict:
    """The published precision less the true one among the surest tenth, two tenths, … of the gaps."""
    order = np.argsort(-confidence, kind="stable")
    counts = np.maximum(1, np.round(np.array(COVERAGES) * len(right))).astype(int)
    return {"published_less_true": (told - np.cumsum(right[order])[counts - 1] / counts).round(4).tolist()}


def trial(corpus: Corpus, truth: np.ndarray, gaps: str, noise: str, rate: float, seed: int) -> dict:
    """One dataset, one kind of gaps, one kind and rate of noise."""
    missing = GAPS[gaps](truth, np.random.default_rng(seed))
    given = np.where(missing, -1, truth)
    if rate:
        given[~missing] = corrupt(noise, truth[~missing], corpus.vectors[~missing], rate, seed)
    guess, confidence, proposed, told, seconds = ours(corpus, given)
    right = guess == truth[missing]
    row = {
        "n_labeled": int((~missing).sum()),
        "seconds": round(seconds, 2),
        "assay": judged(right, confidence, proposed) | against(told, right, confidence),
    }
    peers = {"logistic": logistic(probe.principal_axes(corpus.vectors), given), "spreading": spreading(corpus, given)}
    for name, (guess, confidence) in peers.items():
        row[name] = judged(guess == truth[missing], confidence, confidence >= ABSTAIN_BELOW)
    return row


def columns_of_numbers() -> list[tuple[str, str, np.ndarray]]:
    """`(dataset, column, values)`, a value for each vector."""
    files = [(len(content.getvalue()) / 1000, *Image.open(content).size) for _, content in caltech_files()]
    kilobytes, width, height = np.array(files).T
    return [
        ("digits", "mean pixel", load_digits().data.mean(axis=1)),
        ("caltech101", "width ÷ height", width / height),
        ("caltech101", "kilobytes", kilobytes),
    ]


def number_trial(corpus: Corpus, column: str, values: np.ndarray, seed: int) -> dict:
    """Three numbers in ten taken away."""
    missing = at_random(values, np.random.default_rng(seed))
    inputs = inputs_of(corpus, {column: pl.Series(np.where(missing, np.nan, values)).fill_nan(None)})
    made, quality, _ = fill_groups(inputs, [], [column])
    section = inputs.spec.metrics
    filled = numbers.fill(inputs.corpus, column, section.folds, section.seed)  # with what is not proposed
    right = numbers.within(filled.proposed - values, filled.tolerance)[missing]
    confidence = filled.confidence[missing]
    near = np.where(missing[corpus.neighbors], np.nan, values[corpus.neighbors])
    near = np.where(np.cumsum(np.isfinite(near), axis=1) <= numbers.NEIGHBORS, near, np.nan)
    mean = numbers.within(np.nanmean(near, axis=1) - values, filled.tolerance)[missing]
    proposed = made.sort("sample_id")["proposed"].is_not_null().to_numpy()
    return {
        "tolerance": round(filled.tolerance, 4),
        "assay": judged(right, confidence, proposed) | against(published(quality), right, confidence),
        "mean_of_neighbors": round(float(mean.mean()), 4),
    }


def table(rows: list[dict]) -> str:
    """The trials as two Markdown tables."""
    head = ("data", "missing", "noise", "best guess right", "proposed", "right of these", "ECE")
    head += ("published − true", "of all", "logistic regression: proposed, right, ECE", "LabelSpreading: the same")
    labels = [head, *(_label_cells(row) for row in rows if "gaps" in row)]
    head = ("data", "column", "within", "best guess right", "mean of neighbours right", "proposed", "right of these")
    held = [(*head, "ECE", "published − true", "of all"), *(_number_cells(row) for row in rows if "tolerance" in row)]
    return "\n\n".join("\n".join(_lines(cells)) for cells in (labels, held))


def _lines(cells: list[tuple[str, ...]]) -> Iterator[str]:
    for number, row in enumerate(cells):
        yield "| " + " | ".join(row) + " |"
        if not number:
            yield "|---" * len(row) + "|"


def _label_cells(row: dict) -> tuple[str, ...]:
    noise = f"{row['noise']} {row['rate']:.0%}" if row["rate"] else "none"
    peers = [row[name] for name in ("logistic", "spreading")]
    others = [
        ", ".join((f"{p['coverage']:.2f}", f"{p['precision'][0]:.2f}" if p["precision"] else "–", f"{p['ece']:.2f}"))
        for p in peers
    ]
    return row["dataset"], row["gaps"], noise, f"{row['assay']['accuracy']:.3f}", *_own_cells(row["assay"]), *others


def _number_cells(row: dict) -> tuple[str, ...]:
    own, mean = row["assay"], f"{row['mean_of_neighbors']:.3f}"
    head = row["dataset"], row["column"], f"{row['tolerance']:.3g}", f"{own['accuracy']:.3f}", mean
    return *head, *_own_cells(own)


def _own_cells(own: dict) -> tuple[str, ...]:
    """Coverage, precision and its interval, ECE, and the published precision less the true one: greatest, of all."""
    precision = "{:.3f} ({:.3f}–{:.3f})".format(*own["precision"]) if own["precision"] else "–"
    error = own["published_less_true"]
    greatest = max(error, key=abs)
    return f"{own['coverage']:.3f}", precision, f"{own['ece']:.3f}", f"{greatest:+.3f}", f"{error[-1]:+.3f}"


def main() -> None:
    kinds = ",".join(KINDS[:2])
    chosen = arguments(__doc__, RESULTS, "cora,digits,caltech10,caltech101,banking77", kinds, "0,0.1,0.2")
    if chosen.table:
        return print(table(stored(chosen.out)))
    rates = list(map(float, chosen.rates.split(",")))
    noises = [("none", 0.0)] * (0 in rates) + [(k, rate) for rate in rates if rate for k in chosen.kinds.split(",")]
    rows, held = [], columns_of_numbers()
    for name, truth, corpus in corpora(chosen.datasets):
        for gaps, (noise, rate) in itertools.product(GAPS, noises):
            where = {"dataset": name, "gaps": gaps, "noise": noise, "rate": rate}
            keep(rows, where | trial(corpus, truth, gaps, noise, rate, chosen.seed), chosen.out)
        for column, values in ((column, values) for dataset, column, values in held if dataset == name):
            where = {"dataset": name, "column": column}
            keep(rows, where | number_trial(corpus, column, values, chosen.seed), chosen.out)


if __name__ == "__main__":
    main()
