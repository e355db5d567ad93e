"""A model's predictions on a dataset's samples, brought by the user and kept beside the snapshots.

HOME/DATASET/predictions.parquet       sample_id, predicted, probability
"""

import io
from pathlib import Path

import polars as pl

from assay.contracts.errors import SpecError
from assay.store.digests import read_trailed, write_trailed
from assay.store.workspace import Workspace

SCHEMA = {"sample_id": pl.String, "predicted": pl.String, "probability": pl.Float64}
NAMES = {  # column: what it may be called in the file
    "sample_id": ("sample_id", "sample", "id", "uri", "path", "file"),
    "predicted": ("predicted", "prediction", "predicted_label", "predicted_class", "pred"),
    "probability": ("probability", "confidence", "prob", "score"),
}


def read_predictions(workspace: Workspace) -> pl.DataFrame | None:
    """Columns `SCHEMA`; None where none were brought.

    Raises:
        SpecError: the file is damaged.
    """
    path = workspace.root / "predictions.parquet"
    try:
        return pl.read_parquet(io.BytesIO(read_trailed(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise SpecError(f"{path} is damaged ({error}); supply the predictions again, or remove it") from None


def bring_predictions(workspace: Workspace, path: Path) -> int:
    """Read a CSV or Parquet file of predictions and keep it, replacing earlier ones. Returns its rows.

    Raises:
        SpecError: it cannot be read, lacks a column, or holds a probability outside 0 to 1.
    """
    try:
        if path.suffix.lower() == ".parquet":
            frame = pl.read_parquet(path, glob=False)
        else:
            frame = pl.read_csv(path, infer_schema=False, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SpecError(f"the predictions {path} cannot be read as CSV or Parquet: {error}") from None
    return keep_predictions(workspace, frame)


def keep_predictions(workspace: Workspace, frame: pl.DataFrame) -> int:
    """As `bring_predictions`, of a frame."""
    columns = {}
    for column, names in NAMES.items():
        there = next((name for name in names if name in frame.columns), None)
        if there is None and column != "probability":
            raise SpecError(f"predictions need a column {column!r} (or {', '.join(names[1:])}); got {frame.columns}")
        columns[column] = pl.col(there) if there else pl.lit(None)
    try:
        kept = frame.select(columns[name].cast(kind).alias(name) for name, kind in SCHEMA.items())
    except pl.exceptions.PolarsError as error:
        raise SpecError(f"the predictions do not read as {SCHEMA}: {error}") from None
    kept = kept.drop_nulls(["sample_id", "predicted"]).unique("sample_id", keep="last", maintain_order=True)
    probability = kept["probability"].drop_nulls().to_numpy()
    if len(probability) and not (probability.min() >= 0 and probability.max() <= 1):
        raise SpecError(f"a probability lies in 0 to 1; these run from {probability.min():g} to {probability.max():g}")
    buffer = io.BytesIO()
    kept.write_parquet(buffer)
    write_trailed(workspace.root / "predictions.parquet", buffer.getvalue())
    return len(kept)
