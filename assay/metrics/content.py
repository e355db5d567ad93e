"""Issues of single contents (too dark, blurry, nearly empty …), as the room of such data defines them."""

import polars as pl

from assay.metrics.inputs import Inputs
from assay.metrics.judgement import Numbers
from assay.metrics.sql import Relation


def content_issues(inputs: Inputs) -> list[pl.DataFrame]:
    """Rows of `measures` of tonight's contents; thresholds say which are issues."""
    facts = inputs.spec.data.facts
    if facts is None or facts.table not in inputs.tables:
        return []
    relations: dict[str, Relation] = {"samples": inputs.samples, facts.table: inputs.tables[facts.table]}
    none = pl.lit(None, pl.Boolean).alias("is_issue")
    return [inputs.select(file, None, **relations).with_columns(none) for file in facts.issues]


def content_numbers(inputs: Inputs) -> Numbers:
    """What holds for most of the dataset: said once, not as an issue of every sample."""
    facts = inputs.spec.data.facts
    if facts is None or facts.prevalence is None or facts.table not in inputs.tables:
        return {}
    relations: dict[str, Relation] = {"samples": inputs.samples, facts.table: inputs.tables[facts.table]}
    found = inputs.select(facts.prevalence, None, **relations)
    return {metric: (value, note) for metric, value, note in found.iter_rows()}
