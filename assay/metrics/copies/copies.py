"""What the copies of a sample say of it: that it is superfluous, leaks into another split, or is labelled otherwise."""

from pathlib import Path

import polars as pl

from assay.metrics.inputs import Inputs

HERE = Path(__file__).parent


def copies(inputs: Inputs) -> list[pl.DataFrame]:
    """The metrics `duplicate`, `leak` and `label_conflict`, as rows of `measures`."""
    duplicates, leaks = inputs.tables["duplicates"], inputs.tables["leaks"]
    return [
        inputs.select(HERE / "duplicate.sql", duplicates=duplicates),
        inputs.select(HERE / "leak.sql", leaks=leaks),
        inputs.select(HERE / "label_conflict.sql", duplicates=duplicates, samples=inputs.samples),
    ]
