"""A view over frames: a snapshot of exactly these tables, in any number of parts."""

from pathlib import Path
from typing import Any

import polars as pl

from assay.contracts.tables import CONTRACTS, empty
from assay.reading.columns import View
from assay.store.snapshots import Snapshot
from tests.snapshot_builder import samples


def made_view(folder: Path, tables: dict[str, pl.DataFrame], rows_a_part: int = 1_000, **manifest: Any) -> View:
    """A view; `manifest` adds to its manifest. Without `samples` among the tables nothing could be asked."""
    described = {}
    for name, frame in tables.items():
        (folder / name).mkdir(parents=True)
        frame, files = held(name, frame), []
        for start in range(0, max(len(frame), 1), rows_a_part):
            path = f"{name}/part-{start:05d}.parquet"
            frame.slice(start, rows_a_part).write_parquet(folder / path)
            files.append({"path": path})
        described[name] = {"files": files, "rows": len(frame)}
    return View(Snapshot(1, folder, {"dataset": "toy", "tables": described, **manifest}))


def held(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in its contract's columns and types, null where it lacks one; its further columns as they are."""
    if table not in CONTRACTS:
        return frame
    schema = {name: kind for name, kind in empty(table).schema.items() if kind != pl.Null}
    lacking = [pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    return frame.with_columns(pl.col(name).cast(schema[name]) for name in frame.columns if name in schema).with_columns(
        lacking
    )


def labelled(folder: Path, labels: list[str | None], **further: list) -> View:
    """A view of samples `a0`, `a1`, … with these labels and further columns."""
    frame = samples([f"a{i}" for i in range(len(labels))], labels)
    return made_view(folder, {"samples": frame.with_columns(pl.Series(name, v) for name, v in further.items())})
