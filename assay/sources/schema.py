"""The source's columns from night to night: what the last snapshot had and is gone, new, or of another type."""

import json
from typing import Any

import polars as pl

from assay.contracts.errors import SourceError
from assay.contracts.spec import Spec
from assay.contracts.tables import Ingested
from assay.sources.told import SCHEMA
from assay.store.snapshots import Snapshot, last_night
from assay.store.stage import StageOutput
from assay.store.workspace import Workspace

STOPPING = ("sample_id", "label", "split")  # roles whose loss makes another dataset of it
RELABELLED = 0.5  # share of the samples of both nights with another label that is told


def describe(samples: pl.DataFrame, roles: dict[str, str], layout: str = "") -> str:
    """One night's source as JSON: `roles` (ours to the file's names, those with a value), further `columns` with
    their types, and the folders' `layout`."""
    named = {
        role: name
        for role, name in sorted(roles.items())
        if role not in samples.columns or samples[role].null_count() < len(samples)
    }
    names = [name for name in samples.columns if name not in Ingested.columns()]
    columns = {name: str(samples.schema[name]) for name in sorted(names)}
    return json.dumps({"roles": named, "columns": columns, "layout": layout}, ensure_ascii=False)


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is different between two nights' sources, in words; the gravest first."""
    found = []
    names = set(before["columns"]) | set(before["roles"].values())
    new = sorted((set(now["columns"]) | set(now["roles"].values())) - names)
    said_new = f"; new are {', '.join(map(repr, new[:10]))}" if new else ""
    for role, name in before["roles"].items():
        if role not in now["roles"]:
            found.append(f"the {role} that column {name!r} held is gone{said_new}")
    moved = [(role, name, now["roles"].get(role, name)) for role, name in before["roles"].items()]
    found += [f"the {role} came from {old!r} and now comes from {name!r}" for role, old, name in moved if old != name]
    gone = sorted(set(before["columns"]) - set(now["columns"]) - set(now["roles"].values()))
    if gone:
        found.append(f"columns that are gone: {', '.join(map(repr, gone))}{said_new}")
    for name, kind in before["columns"].items():
        if (other := now["columns"].get(name, kind)) != kind:
            found.append(f"column {name!r} was {kind} and is {other}")
    if before["layout"] != now["layout"]:
        found.append(f"the folders were read as {before['layout']} and now as {now['layout']}")
    return found


def schema_of(numbers: pl.DataFrame) -> dict[str, Any] | None:
    """What `describe` wrote into `dataset_metrics`; None where there is none."""
    notes = numbers.filter(pl.col("metric") == SCHEMA)["note"].to_list()
    return json.loads(notes[0]) if notes and notes[0] else None


def source_changes(parent: Snapshot | None, numbers: pl.DataFrame) -> list[str]:
    """What is different against a snapshot, in words; empty where one of the two does not say."""
    if parent is None or not (parts := parent.parts("dataset_metrics")):
        return []
    before, now = schema_of(pl.read_parquet(parts, columns=["metric", "note"])), schema_of(numbers)
    return changes(before, now) if before and now else []


def refuse_lost_columns(spec: Spec, workspace: Workspace, output: StageOutput) -> list[str]:
    """What is different against the newest snapshot.

    Raises:
        SourceError: the column of the labels, the splits or the ids is gone, or empty, and `source.may_be_absent` does
            not name it.
    """
    parent, numbers = last_night(workspace), output.read("dataset_metrics", ["metric", "note"])
    found = source_changes(parent, numbers)
    if parent is None or not found:
        return _relabelled(parent, output)
    before = schema_of(pl.read_parquet(parent.parts("dataset_metrics"), columns=["metric", "note"]))
    now = schema_of(numbers)
    if before is None or now is None:
        return found
    lost = [role for role in STOPPING if role in before["roles"] and role not in now["roles"]]
    lost = [role for role in lost if not {role, before["roles"][role]} & set(spec.source.may_be_absent)]
    if lost:
        role, name = lost[0], before["roles"][lost[0]]
        raise SourceError(
            f"{'; '.join(found)}. In the last snapshot {_filled(parent, role)} samples had a {role}, tonight none has. "
            f'If the column was renamed, say so: source.columns = {{ {role} = "…" }}; '
            f"if it is meant to be gone, source.may_be_absent = [{name!r}]"
        )
    return [*found, *_relabelled(parent, output)]


def _filled(parent: Snapshot, role: str) -> str:
    column = pl.read_parquet(parent.parts("samples"), columns=[role])[role]
    return f"{len(column) - column.null_count():,} of {len(column):,}"


def _relabelled(parent: Snapshot | None, output: StageOutput) -> list[str]:
    """That most labels are other ones than in the last snapshot, with the classes of both nights."""
    if parent is None or not (parts := parent.parts("samples")):
        return []
    both = (
        pl.scan_parquet(parts).select("sample_id", was="label")
        .join(output.scan("ingested").select("sample_id", now="label"), on="sample_id").drop_nulls().collect()
    )  # fmt: skip
    n = int((both["was"] != both["now"]).sum())
    if n < 20 or n < RELABELLED * len(both):
        return []
    was, now = (", ".join(both[name].unique().sort().head(5).to_list()) for name in ("was", "now"))
    return [f"{n:,} of {len(both):,} labels are not those of the last snapshot: then {was}; now {now}"]
