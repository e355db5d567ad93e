"""The nightly flow: source → ingest → clean → dedup → embed → index → project → metrics → validate → publish.

Read this file first. Each name below is one package in `tasks/`; stages meet only in Parquet tables, each with a
contract in `assay/contracts/tables.py`. What is finished is found by its key and not done again.
"""

from pathlib import Path

from prefect import flow

from assay.contracts.spec import load_spec
from assay.duplicates.stage import dedup, near_dedup
from assay.embedders.stage import embed
from assay.facts import clean
from assay.health.stage import drift, validate
from assay.knn.stage import index
from assay.layouts.stage import project
from assay.metrics.stage import metrics
from assay.publishing.stage import publish
from assay.sources.ingest import ingest
from assay.store.lock import dataset_lock, disk_full_is_clear
from assay.store.workspace import Workspace


@flow(name="quality-snapshot", flow_run_name="{dataset}", log_prints=False, validate_parameters=False)
def quality_snapshot(spec_path: str, home: str = "assay-home", dataset: str = "") -> str:
    """One quality snapshot of one dataset. Returns the path of the published snapshot."""
    spec = load_spec(spec_path)
    workspace = Workspace(Path(home).resolve(), spec.name)
    with disk_full_is_clear(workspace.home), dataset_lock(workspace):
        ingested = ingest(spec, workspace)
        cleaned = clean(spec, workspace, ingested)
        collapsed = dedup(spec, workspace, cleaned)
        embedded = embed(spec, workspace, ingested, cleaned)
        indexed = index(spec, workspace, cleaned, collapsed, embedded)
        duplicates = near_dedup(spec, workspace, cleaned, collapsed, embedded, indexed)
        projected = project(spec, workspace, cleaned, collapsed, embedded, indexed)
        measured = metrics(spec, workspace, cleaned, collapsed, embedded, indexed, duplicates)
        validated = validate(spec, workspace, cleaned, collapsed, embedded, indexed, projected, measured)
        drifted = drift(spec, workspace, cleaned, embedded)
        stages = (ingested, cleaned, collapsed, embedded, indexed, duplicates, projected, measured, validated, drifted)
        return str(publish(spec, workspace, *stages).path)
