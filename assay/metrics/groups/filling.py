"""Proposals for gaps in group columns: names are proposed as labels are, numbers from the neighbours' values."""

import polars as pl

from assay.metrics.corpus import Coding, cases_frame
from assay.metrics.groups import gaps
from assay.metrics.inputs import Inputs
from assay.metrics.judgement import PROPOSALS, QUALITY, Numbers
from assay.metrics.labels import beliefs, noise, proposals


def fill_groups(
    inputs: Inputs, codings: list[Coding], ungrouped: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame, Numbers]:
    """`(proposals, their measured quality, numbers)`. Numeric columns that are not grouped by are filled as numbers.
    Who labelled a sample is never guessed, and labels are proposed where they are judged."""
    section, corpus = inputs.spec.metrics, inputs.corpus
    made, measured = [pl.DataFrame(schema=PROPOSALS)], [pl.DataFrame(schema=QUALITY)]
    numbers: Numbers = {}
    for coding in codings:
        if coding.column not in ("label", section.annotator) and (found := fill_names(inputs, coding)):
            made.append(found[0])
            measured.append(found[1])
    for column in gaps.with_gaps(corpus, ungrouped):
        filled = gaps.fill(corpus, column, section.folds, section.seed)
        if filled is None:
            continue
        note = "a number is proposed rightly where the true one is at most this far from it"
        numbers[f"proposal_tolerance:{column}"] = (filled.tolerance, note)
        made.append(gaps.propose(corpus, column, filled))
        measured.append(gaps.quality(column, filled))
    return pl.concat(made), pl.concat(measured), numbers


def fill_names(inputs: Inputs, coding: Coding) -> tuple[pl.DataFrame, pl.DataFrame] | None:
    """Proposals for the gaps of one column of names and their quality; None where there is no gap, or one name."""
    section, corpus = inputs.spec.metrics, inputs.corpus
    if not ((coding.codes < 0) & (corpus.unit >= 0)).any():
        return None
    cases = cases_frame(corpus, coding.codes)
    if cases.filter(pl.col("label") >= 0)["label"].n_unique() < 2:
        return None
    learner = inputs.learner(f"column {coding.column}", coding.names)
    believed = beliefs.believe(corpus, cases, len(coding.names), section.folds, section.seed, learner)
    model = noise.fit(believed)
    ids = corpus.samples["sample_id"]
    made = proposals.propose(coding.column, coding.names, believed, model, ids, corpus.unit, coding.codes)
    return made, proposals.quality(coding.column, believed, model)
