"""Annotators: who gives which labels, how often each is wrong, and what all of them together say of a content.

As CROWDLAB does (Goh, Tkachenko, Mueller 2022), every label is weighed against those of others on the same content and
against what the vectors say; as in Dawid & Skene (1979), how often each annotator errs and what is true are found from
each other by expectation maximisation:

    q(c) ∝ b(c) · Π P(label | c),   P(label | c) = 1 − e(who, c) where label = c, else e(who, c) · D(label | c)

`b` is the noise model's belief from the vectors, out of fold; where they know nothing, the class sizes. An annotator's
error on a class, `e`, is shrunk to that annotator's overall one, and that to the one of all; what a class is mistaken
for, `D`, is the same for all and shrunk to the class sizes: a whole confusion matrix of each annotator would have more
cells than most annotators give labels.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.metrics import pairs
from assay.metrics.corpus import code
from assay.metrics.inputs import Inputs
from assay.metrics.judgement import Numbers
from assay.metrics.labels import beliefs, confident, noise
from assay.sources.label_text import label_texts

SHRINKAGE = 8.0  # labels' worth of shrinkage
ROUNDS = 50
START = 0.1  # error that all begin with
LEAST = 1e-3  # error that is never gone below, nor its complement
SETTLED = 1e-5  # change of an error rate in a round below which all are found
ANNOTATORS = {
    "annotator": pl.String,
    "n": pl.Int64,
    "n_shared": pl.Int64,
    "peer_agreement": pl.Float64,
    "consensus_agreement": pl.Float64,
    "error_rate": pl.Float64,
    "error_rate_low": pl.Float64,
    "error_rate_high": pl.Float64,
    "confused_label": pl.String,
    "confused_true_label": pl.String,
    "confused_count": pl.Float64,
}
CONSENSUS = {
    "sample_id": pl.String,
    "consensus": pl.String,
    "confidence": pl.Float64,
    "n_labels": pl.Int64,
    "agreement": pl.Float64,
}


@dataclass(frozen=True)
class Votes:
    """Labels as given: (v,) the unit, the annotator and the class of each, as codes, and all their names."""

    unit: np.ndarray
    annotator: np.ndarray
    label: np.ndarray
    annotators: list[str]
    labels: list[str]


@dataclass(frozen=True)
class Truth:
    """The likely classes of each unit: (p,) pairs of `unit` and `label`, sorted, with the probability `chance`; and for
    each vote (v,) the chance that it is `right`, and whether anything but the vote itself tells (`judged`)."""

    unit: np.ndarray
    label: np.ndarray
    chance: np.ndarray
    right: np.ndarray
    judged: np.ndarray


def annotator_tables(inputs: Inputs) -> tuple[pl.DataFrame, pl.DataFrame, Numbers]:
    """`(annotators, consensus, numbers)`; all empty where the spec names no annotators."""
    nothing = pl.DataFrame(schema=ANNOTATORS), pl.DataFrame(schema=CONSENSUS)
    section, columns = inputs.spec.metrics, inputs.corpus.samples.columns
    wanted = [section.annotator] if section.annotator else list(section.annotator_labels)
    if not wanted:
        return *nothing, {}
    absent = [name for name in wanted if name not in columns and name != label_column(inputs)]
    if absent:
        return *nothing, {"annotators_note": (None, f"no such column in the source: {', '.join(map(repr, absent))}")}
    votes = read_votes(inputs)
    if not len(votes.unit):
        return *nothing, {"annotators_note": (None, "no label of a sample with a vector has an annotator")}
    alpha = "Krippendorff's alpha of labels that share a content: 1 is full agreement, 0 chance"
    numbers: Numbers = {
        "n_annotators": (float(len(votes.annotators)), None),
        "annotator_alpha": (krippendorff_alpha(votes), alpha),
    }
    truth = find_truth(inputs, votes)
    return annotators(votes, truth), consensus(inputs, votes, truth), numbers


def label_column(inputs: Inputs) -> str:
    """The file's own name of the column that became `label`."""
    return inputs.spec.source.columns.get("label", "label")


def read_votes(inputs: Inputs) -> Votes:
    """The labels of all annotators on samples that have a vector: from the rows of a column that names who gave each
    row its label, or from a column for each annotator."""
    section, samples = inputs.spec.metrics, inputs.corpus.samples
    if section.annotator:
        who, given = code(samples, section.annotator), inputs.labels
        names, frames = given.names, [_vote_frame(inputs, who.codes, given.codes)]
        annotators = who.names
    else:
        annotators = list(section.annotator_labels)
        columns = [label_texts(samples["label" if name == label_column(inputs) else name]) for name in annotators]
        names = sorted(set().union(*(column.drop_nulls().unique().to_list() for column in columns)))
        place = pl.Enum(names)
        codes = [column.cast(place).to_physical().cast(pl.Int64).fill_null(-1).to_numpy() for column in columns]
        frames = [_vote_frame(inputs, np.full(len(samples), number), given) for number, given in enumerate(codes)]
    votes = pl.concat(frames)
    unit, annotator, label = (votes[name].to_numpy() for name in ("unit", "annotator", "label"))
    return Votes(unit, annotator, label, annotators, names)


def _vote_frame(inputs: Inputs, annotator: np.ndarray, label: np.ndarray) -> pl.DataFrame:
    """Unit, annotator and label of the samples that have all three."""
    frame = pl.DataFrame({"unit": inputs.corpus.unit, "annotator": annotator, "label": label})
    frame = frame.with_columns(pl.all().cast(pl.Int64))
    return frame.filter((pl.col("unit") >= 0) & (pl.col("annotator") >= 0) & (pl.col("label") >= 0))


def find_truth(inputs: Inputs, votes: Votes) -> Truth:
    """The true class of every unit that has a vote, by expectation maximisation."""
    unit, label, prior, informed = prior_of(inputs, votes)
    judged = shared(votes) | informed  # a vote that nothing else speaks about says nothing of its annotator
    n_classes, n_units = len(votes.labels), inputs.corpus.n_units
    first = np.searchsorted(unit, np.arange(n_units + 1))
    sizes = first[votes.unit + 1] - first[votes.unit]
    vote = np.repeat(np.arange(len(votes.unit)), sizes)  # an entry for every vote and class that may be true
    pair = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes) + first[votes.unit][vote]
    same, who, heard = label[pair] == votes.label[vote], votes.annotator[vote], judged[vote]
    cells, cell = np.unique(label[pair] * n_classes + votes.label[vote], return_inverse=True)
    true, given = cells // n_classes, cells % n_classes
    share = np.bincount(votes.label, minlength=n_classes) / len(votes.label)
    others = share[given] / np.maximum(1.0 - share[true], 1e-9)
    habits, habit = np.unique(who * n_classes + label[pair], return_inverse=True)  # an annotator on one true class
    whose = habits // n_classes
    total = np.bincount(votes.annotator, judged, len(votes.annotators))
    error, direction, chance = np.full(len(habits), START), others, prior
    for _ in range(ROUNDS):
        likelihood = np.where(same, np.log(1 - error[habit]), np.log(error[habit]) + np.log(direction[cell]))
        posterior = np.log(np.maximum(prior, 1e-12)) + np.bincount(pair, likelihood, len(unit))
        chance = pairs.softmax(unit, posterior, n_units)
        weight = np.where(heard, chance[pair], 0.0)
        wrong, before = np.where(same, 0.0, weight), error
        missed = np.bincount(who, wrong, len(total))
        mean = (missed + SHRINKAGE * missed.sum() / max(total.sum(), 1.0)) / (total + SHRINKAGE)
        error = np.bincount(habit, wrong, len(habits)) + SHRINKAGE * mean[whose]
        error = np.clip(error / (np.bincount(habit, weight, len(habits)) + SHRINKAGE), LEAST, 1 - LEAST)
        counts = np.bincount(cell, wrong, len(cells))
        direction = (counts + SHRINKAGE * others) / (np.bincount(true, counts, n_classes)[true] + SHRINKAGE)
        if np.abs(error - before).max() < SETTLED:
            break
    right = np.zeros(len(votes.unit))
    right[vote[same]] = chance[pair[same]]
    return Truth(unit, label, chance, right, judged)


def prior_of(inputs: Inputs, votes: Votes) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """`(unit, label, prior, informed)`: pairs sorted by unit and label, the belief before any vote on that very unit
    is heard, and whether the vectors say more than the class sizes."""
    n_classes = len(votes.labels)
    frame = pl.DataFrame({"unit": votes.unit, "label": votes.label})
    cases = frame.group_by("unit", "label").agg(pl.len().cast(pl.Int32).alias("n")).sort("unit", "label")
    cases = cases.with_columns(
        pl.col("unit", "label").cast(pl.Int32),
        (pl.col("n") / pl.col("n").sum().over("unit")).alias("share"),
        pl.lit(1, dtype=pl.Int32).alias("n_values"),  # so that a unit's own copies have no vote on it
    )
    if n_classes >= 2 and inputs.corpus.n_units >= 2:
        section = inputs.spec.metrics
        found = beliefs.believe(inputs.corpus, cases, n_classes, section.folds, section.seed)
        if beliefs.better_than_chance(found):
            clean = noise.fit(found).clean
            believed = pl.DataFrame({"unit": found.unit[found.case].astype(np.int64), "label": found.label, "b": clean})
            believed = believed.group_by("unit", "label").agg(pl.col("b").max()).sort("unit", "label")
            unit, belief = believed["unit"].to_numpy(), believed["b"].to_numpy()
            return unit, believed["label"].to_numpy(), pairs.normalize(unit, belief, unit.max() + 1), True
    given = cases.select(pl.col("unit", "label").cast(pl.Int64))
    unit, label = given["unit"].to_numpy(), given["label"].to_numpy()
    share = np.bincount(votes.label, minlength=n_classes) / len(votes.label)
    return unit, label, pairs.normalize(unit, share[label], unit.max() + 1), False


def shared(votes: Votes) -> np.ndarray:
    """(v,) whether somebody else labelled the same unit."""
    both = np.unique(np.stack([votes.unit, votes.annotator], axis=1), axis=0)
    return np.bincount(both[:, 0], minlength=int(votes.unit.max(initial=0)) + 1)[votes.unit] > 1


def best_of_units(truth: Truth) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(unit, label, chance)` of the likeliest class of each unit, by unit."""
    units = np.unique(truth.unit)
    top = pairs.best(truth.unit, truth.chance, int(units.max(initial=-1)) + 1)[units]
    return truth.unit[top], truth.label[top], truth.chance[top]


def peer_agreement(votes: Votes) -> np.ndarray:
    """(v,) share of the others' labels of the same unit that are the same; NaN where nobody else labelled it."""
    frame = pl.DataFrame({"unit": votes.unit, "annotator": votes.annotator, "label": votes.label})
    frame = frame.with_columns(
        pl.len().over("unit").alias("all"),
        pl.len().over("unit", "label").alias("alike"),
        pl.len().over("unit", "annotator").alias("own"),
        pl.len().over("unit", "annotator", "label").alias("own_alike"),
    )
    others = (frame["all"] - frame["own"]).to_numpy().astype(float)
    alike = (frame["alike"] - frame["own_alike"]).to_numpy().astype(float)
    return np.where(others > 0, alike / np.maximum(others, 1.0), np.nan)


def annotators(votes: Votes, truth: Truth) -> pl.DataFrame:
    """The table `annotators`."""
    unit, label, _ = best_of_units(truth)
    true = label[np.searchsorted(unit, votes.unit)]
    frame = pl.DataFrame(
        {
            "annotator": votes.annotator,
            "peer_agreement": peer_agreement(votes),
            "consensus_agreement": np.where(truth.judged, votes.label == true, np.nan),
            "wrong": np.where(truth.judged, 1.0 - truth.right, np.nan),
        }
    ).with_columns(pl.col(pl.Float64).fill_nan(None))
    table = frame.group_by("annotator").agg(
        pl.len().alias("n"),
        pl.col("peer_agreement").count().alias("n_shared"),
        pl.col("peer_agreement").mean(),
        pl.col("consensus_agreement").mean(),
        pl.col("wrong").mean().alias("error_rate"),
        pl.col("wrong").count().alias("n_judged"),
    )
    low, high = confident.wilson(table["error_rate"].fill_null(0.0).to_numpy(), table["n_judged"].to_numpy())
    known = pl.col("error_rate").is_not_null()
    table = table.with_columns(
        pl.when(known).then(pl.Series(low)).alias("error_rate_low"),
        pl.when(known).then(pl.Series(high)).alias("error_rate_high"),
    )
    table = table.join(confusions(votes, truth, true), on="annotator", how="left")
    names = pl.Series(votes.annotators, dtype=pl.String)
    table = table.with_columns(names.gather(table["annotator"]).alias("annotator"))
    return table.select(pl.col(name).cast(kind) for name, kind in ANNOTATORS.items()).sort("annotator")


def confusions(votes: Votes, truth: Truth, true: np.ndarray) -> pl.DataFrame:
    """For each annotator the label most often given in the place of one other, and the expected number of times."""
    wrong = truth.judged & (true != votes.label)
    frame = pl.DataFrame(
        {
            "annotator": votes.annotator[wrong],
            "label": votes.label[wrong],
            "true": true[wrong],
            "chance": 1.0 - truth.right[wrong],
        }
    )
    counted = frame.group_by("annotator", "label", "true").agg(pl.col("chance").sort().sum().alias("confused_count"))
    most = counted.sort("annotator", "confused_count", "label", "true", descending=[False, True, False, False])
    most = most.unique("annotator", keep="first", maintain_order=True)
    names = pl.Series(votes.labels, dtype=pl.String)
    return most.select(
        "annotator",
        names.gather(most["label"]).alias("confused_label"),
        names.gather(most["true"]).alias("confused_true_label"),
        "confused_count",
    )


def consensus(inputs: Inputs, votes: Votes, truth: Truth) -> pl.DataFrame:
    """The table `consensus`: the samples whose content several annotators labelled."""
    unit, label, chance = best_of_units(truth)
    both = shared(votes)
    given = pl.DataFrame({"unit": votes.unit[both], "label": votes.label[both]})
    found = pl.DataFrame({"unit": unit, "true": label, "confidence": np.clip(chance, 0.0, 1.0)})
    counted = (
        given.join(found, on="unit")
        .group_by("unit")
        .agg(
            pl.len().alias("n_labels"),
            (pl.col("label") == pl.col("true")).mean().alias("agreement"),
            pl.col("true", "confidence").first(),
        )
    )
    samples = inputs.corpus.samples.select("sample_id").with_columns(
        pl.Series("unit", inputs.corpus.unit.astype(np.int64))
    )
    table = samples.join(counted, on="unit")
    names = pl.Series(votes.labels, dtype=pl.String)
    table = table.with_columns(names.gather(table["true"]).alias("consensus"))
    return table.select(pl.col(name).cast(kind) for name, kind in CONSENSUS.items()).sort("sample_id")


def krippendorff_alpha(votes: Votes) -> float | None:
    """Krippendorff's alpha for nominal labels: 1 − observed ÷ expected disagreement, over the units that several
    annotators labelled; None where there are none, or only one class."""
    both = shared(votes)
    agreed = peer_agreement(votes)[both]
    sizes = np.bincount(votes.label[both], minlength=len(votes.labels)).astype(float)
    n = sizes.sum()
    expected = 1.0 - float((sizes * (sizes - 1)).sum()) / (n * (n - 1)) if n > 1 else 0.0
    return 1.0 - float((1.0 - agreed).mean()) / expected if expected > 0 else None
