"""What a sample's copies say about it: it is superfluous, leaks into another split, or has another label than they."""

from pathlib import Path

import polars as pl

from assay.metrics.inputs import Inputs

HERE = Path(__file__).parent


def copies(inputs: Inputs) -> list[pl.DataFrame]:
    """The metrics `duplicate`, `leak` and `label_conflict`, as rows of `measures`."""
    groups, leaks = inputs.tables["copies"], inputs.tables["leaks"]
    return [
        inputs.select(HERE / "duplicate.sql", copies=groups),
        inputs.select(HERE / "leak.sql", leaks=leaks),
        inputs.select(HERE / "label_conflict.sql", copies=groups, samples=inputs.samples),
    ]
