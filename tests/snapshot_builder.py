"""A tiny published snapshot, for tests of everything that reads or writes snapshots."""

from pathlib import Path

import polars as pl

from assay.contracts.spec import Spec, make_spec
from assay.contracts.tables import empty
from assay.store.files import hash_text
from assay.store.snapshots import Snapshot
from assay.store.stage import StageOutput, run_stage, write_rows
from assay.store.workspace import Workspace

VALUES = {"name": "toy", "modality": "text", "source": {"kind": "table", "path": "toy.csv"}}


def toy_spec(**changes) -> Spec:
    return make_spec(VALUES | changes, Path("/data"))


def samples(ids: list[str], labels: list[str | None] | None = None) -> pl.DataFrame:
    """Rows of `samples`, whose content is their id."""
    return pl.DataFrame(
        {
            "sample_id": ids,
            "position": range(len(ids)),
            "uri": None,
            "content_hash": [hash_text(name) for name in ids],
            "modality": "text",
            "label": labels or [None] * len(ids),
            "split": None,
            "size_bytes": 1,
        },
        schema_overrides={name: pl.String for name in ("sample_id", "uri", "content_hash", "label", "split")},
    )


def scores(rows: list[tuple[str, str, float, bool]]) -> pl.DataFrame:
    """Rows of `scores` from (sample_id, metric, score, is_issue)."""
    return pl.DataFrame(
        [{"sample_id": s, "metric": m, "score": v, "value": v, "is_issue": i} for s, m, v, i in rows],
        schema=empty("scores").schema,
    )


def stage_output(workspace: Workspace, name: str, tables: dict[str, pl.DataFrame]) -> StageOutput:
    """A finished stage with these tables; different tables are different outputs."""

    def body(writer):
        for table, frame in tables.items():
            write_rows(writer, table, frame)

    config = {table: hash_text(frame.write_json()) for table, frame in tables.items()}
    return run_stage(workspace, name, version=1, tables=list(tables), config=config, inputs=[], body=body)


def publish_toy(
    workspace: Workspace,
    ids: list[str],
    issues: list[tuple[str, str, float, bool]] = (),
    labels: list[str | None] | None = None,
    **spec_changes,
) -> Snapshot:
    """Publish a snapshot of these samples and scores."""
    from assay.publishing.stage import publish

    cleaned = stage_output(workspace, "clean", {"samples": samples(ids, labels), "rejects": empty("rejects")})
    measured = stage_output(workspace, "metrics", {"scores": scores(list(issues))})
    return publish(toy_spec(**spec_changes), workspace, cleaned, measured)
