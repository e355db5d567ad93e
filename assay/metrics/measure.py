"""The stage from top to bottom: judge the labels, find outliers at the same time, and gather the rows of every
table."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

from assay.contracts.errors import AssayError
from assay.contracts.metrics import Metric, from_outside
from assay.contracts.splits import split_kind
from assay.metrics.annotators.model import annotator_tables
from assay.metrics.content import content_issues, content_numbers
from assay.metrics.copies.copies import copies
from assay.metrics.dataset.headline import dataset_measures, order_numbers
from assay.metrics.groups import groups
from assay.metrics.groups.filling import fill_groups
from assay.metrics.groups.tables import debias, group_measures, worst_groups
from assay.metrics.inputs import Inputs
from assay.metrics.judgement import Judgement, Numbers, not_judged
from assay.metrics.label_sets.judge import judge_sets
from assay.metrics.labels.graph import class_graph
from assay.metrics.labels.judge import judge_labels
from assay.metrics.measures import joined
from assay.metrics.outliers.find import find_outliers
from assay.store.stage import StageWriter

SIDE_BY_SIDE = 200_000  # units up to which memory allows for two things at a time
CLASSES = Path(__file__).parent / "dataset" / "class_measures.sql"


def measure(inputs: Inputs, references: Path, writer: StageWriter) -> dict[str, pl.DataFrame]:
    """Every table of the stage by name. `references`: see `find_outliers`; vectors with a group erased go to files of
    `writer`."""
    with ThreadPoolExecutor(1) as beside:  # while the probe is trained
        outlying = beside.submit(find_outliers, inputs, references)
        graph = beside.submit(class_graph, inputs)
        order = beside.submit(order_numbers, inputs)
        if inputs.corpus.n_units > SIDE_BY_SIDE:
            for one in (outlying, graph, order):
                one.exception()  # waits
        judgement = judge(inputs)
    measures = [
        *copies(inputs),
        *content_issues(inputs),
        *outlying.result(),
        *judgement.measures,
        *own(inputs),
        *others(inputs),
    ]
    classes = class_measures(inputs, judgement, graph.result())
    tables, numbers = further_columns(inputs, judgement, writer)
    numbers |= order.result() | content_numbers(inputs)
    return {
        "measures": joined(measures),
        "label_findings": judgement.findings,
        "label_noise": judgement.noise,
        "class_flags": judgement.flags,
        "class_measures": classes,
        "dataset_measures": dataset_measures(inputs, judgement, classes, numbers),
        **tables,
    }


def judge(inputs: Inputs) -> Judgement:
    """What is found about the labels: single ones, sets of them, or too few to be judged."""
    if not (inputs.enough and inputs.spec.metrics.label_issues):
        return not_judged(inputs)
    return judge_labels(inputs) if inputs.sets is None else judge_sets(inputs)


def class_measures(inputs: Inputs, judgement: Judgement, graph: pl.DataFrame) -> pl.DataFrame:
    """Rows of `class_measures`."""
    found = pl.DataFrame(
        {
            "label": inputs.class_names,
            "noise": judgement.class_noise,
            "probe_accuracy": judgement.class_recall,
        },
        schema_overrides={"label": pl.String},
    ).with_columns(pl.col("noise", "probe_accuracy").fill_nan(None))
    vectors = found.join(graph, on="label", how="left", maintain_order="left")
    splits = inputs.samples["split"].drop_nulls().unique().to_list()
    named = [split for split in splits if split_kind(split) == "train"]
    training = pl.DataFrame({"split": named}, schema={"split": pl.String})
    return inputs.select(
        CLASSES, carriers=inputs.carriers, samples=inputs.samples, class_vectors=vectors, training=training
    )


def further_columns(
    inputs: Inputs, judgement: Judgement, writer: StageWriter
) -> tuple[dict[str, pl.DataFrame], Numbers]:
    """`(tables, numbers)` about the source's further columns: groups, their gaps, annotators."""
    section = inputs.spec.metrics
    others = (*section.annotator_labels, inputs.spec.data.face.outline)
    codings, notes = groups.group_codings(inputs.corpus.samples, section.group_columns, without=others)
    measured = group_measures(inputs, codings, judgement.told)
    proposals, quality, numbers = fill_groups(inputs, codings, list(notes))
    annotators, consensus, agreement = annotator_tables(inputs)
    numbers |= {f"group_skipped:{name}": (None, note) for name, note in notes.items()}
    numbers |= worst_groups(measured) | debias(inputs, codings, notes, writer) | agreement
    tables = {
        "group_measures": measured,
        "proposals": pl.concat([judgement.proposals, proposals]).sort("sample_id", "column"),
        "proposal_quality": pl.concat([judgement.quality, quality]).sort("column", "coverage"),
        "annotators": annotators,
        "consensus": consensus,
    }
    return tables, numbers


def own(inputs: Inputs) -> list[pl.DataFrame]:
    """Measures that such data need beyond a SELECT over the facts."""
    measured = inputs.spec.data.measures
    return [measured(inputs)] if measured else []


def others(inputs: Inputs) -> list[pl.DataFrame]:
    """Metrics from other packages, as rows of `measures`."""
    return [computed(metric, inputs) for metric in from_outside()]


def computed(metric: Metric, inputs: Inputs) -> pl.DataFrame:
    """Rows of one metric from outside.

    Raises:
        AssayError: it did not return scores of tonight's samples; the message says what is wrong with them.
    """
    if metric.compute is None:
        raise AssayError(f"metric {metric.name!r} has nothing that computes it")
    found = metric.compute(inputs)
    wanted = (
        ["sample_id", "score", "value"] if metric.threshold is not None else ["sample_id", "score", "value", "is_issue"]
    )
    if not isinstance(found, pl.DataFrame) or set(wanted) - set(found.columns):
        given = found.columns if isinstance(found, pl.DataFrame) else type(found).__name__
        raise AssayError(f"the metric `{metric.name}` gave {given}; it must give a Polars frame with {wanted}")
    strange = found.filter(~pl.col("sample_id").is_in(inputs.corpus.samples["sample_id"].implode()))
    if len(strange) or found["sample_id"].is_duplicated().any():
        example = (
            strange["sample_id"].head(1).to_list() or found.filter(found["sample_id"].is_duplicated())["sample_id"][0]
        )
        raise AssayError(
            f"the metric `{metric.name}` scores {example!r:.100}, which is not a sample, or scores it twice"
        )
    if not found["score"].is_between(0.0, 1.0).all() or found["score"].has_nulls():
        raise AssayError(
            f"the metric `{metric.name}` has scores outside 0 … 1 or without a value; leave such samples out"
        )
    is_issue = pl.lit(None, pl.Boolean) if metric.threshold is not None else pl.col("is_issue")
    return found.select("sample_id", pl.lit(metric.name).alias("metric"), "score", "value", is_issue.alias("is_issue"))
