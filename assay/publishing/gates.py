"""Quality gates: limits on a snapshot's numbers, on how they changed since the last one, and on those of each group."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from assay.contracts.gates import counted
from assay.contracts.spec import Gate, Spec
from assay.store.snapshots import Snapshot
from assay.store.tables import TableReader

CHANGES = {"new": "new_issue", "resolved": "resolved"}
Values = dict[str | None, float]  # by group; of the whole under None


@dataclass(frozen=True)
class Parts(TableReader):
    """A snapshot's tables before it is one: their parts by name."""

    files: Mapping[str, list[Path]]

    def parts(self, table: str) -> list[Path]:
        """The table's files; none where there is no such table."""
        return list(self.files.get(table, []))


@dataclass(frozen=True)
class Night:
    """What gates may ask of one night."""

    tables: TableReader
    numbers: Mapping[str, float | None]  # `dataset_metrics` and the headline
    has_parent: bool

    def values(self, name: str, gate: Gate) -> Values:
        """The number of a gate's name: of the whole, or of each group of at least `fewest` samples."""
        found = counted(name)
        if not gate.by:
            return self._whole(name, found)
        columns = self.tables.scan("samples").collect_schema().names()
        if gate.by not in columns:
            return {}
        samples = self.tables.read("samples", ["sample_id", *({gate.by} - {"sample_id"})])
        samples = samples.select("sample_id", pl.col(gate.by).cast(pl.String, strict=False).alias("group")).drop_nulls()
        sizes = samples.group_by("group").len().filter(pl.col("len") >= gate.fewest).sort("group")
        if found is None:
            return dict(samples.group_by("group").len().sort("group").iter_rows())
        flagged = self._flagged(*found)
        if flagged is None:
            return {}
        hits = samples.filter(pl.col("sample_id").is_in(flagged.implode())).group_by("group").len(name="hits")
        rows = sizes.join(hits, on="group", how="left", maintain_order="left").with_columns(pl.col("hits").fill_null(0))
        return {group: hits / n if found[0] == "rate" else hits for group, n, hits in rows.iter_rows()}

    def _whole(self, name: str, found: tuple[str, str] | None) -> Values:
        if found is None:
            value = self.numbers.get(name)
            return {} if value is None else {None: value}
        flagged = self._flagged(*found)
        if flagged is None:
            return {}
        n = self.tables.scan("samples").select(pl.len()).collect().item()
        return {None: len(flagged) / max(n, 1) if found[0] == "rate" else float(len(flagged))}

    def _flagged(self, kind: str, metric: str) -> pl.Series | None:
        """The samples that are an issue by a metric, or became or ceased to be one; None where there was no night
        before, so that nothing can have changed."""
        if kind in CHANGES:
            rows = self.tables.scan("diff").filter(change=CHANGES[kind], metric=metric)
            return rows.select("sample_id").collect()["sample_id"] if self.has_parent else None
        rows = self.tables.scan("scores").filter(pl.col("is_issue"), metric=metric)
        return rows.select("sample_id").unique().collect()["sample_id"]


def night_of(snapshot: Snapshot) -> Night:
    """A published snapshot as gates see it."""
    numbers = dict(snapshot.read("dataset_metrics", ["metric", "value"]).iter_rows()) | snapshot.manifest["headline"]
    return Night(snapshot, numbers, snapshot.manifest.get("parent") is not None)


def judge_gates(spec: Spec, night: Night, parent: Snapshot | None) -> list[dict[str, Any]]:
    """Each gate of the spec. A number that is not there breaks its gate; one that could not have changed yet, for there
    was no night before, holds."""
    before = night_of(parent) if parent and spec.gates else None
    return [judge(name, gate, night, before) for name, gate in sorted(spec.gates.items())]


def judge(name: str, gate: Gate, night: Night, before: Night | None) -> dict[str, Any]:
    """One gate, with the group that breaks it worst where it is by group."""
    values, old = night.values(name, gate), before.values(name, gate) if before else {}
    judged = [(excess(gate, value, old.get(group)), group, value) for group, value in values.items()]
    broken = [one for one in judged if one[0] > 0]
    worst = max(broken or judged, key=lambda one: one[0], default=(0.0, None, None))
    found = counted(name)
    first = found is not None and found[0] in CHANGES and not night.has_parent
    return {
        "metric": name,
        **gate.model_dump(mode="json", exclude={"fewest"}),
        "value": worst[2],
        "group": worst[1],
        "before": old.get(worst[1]) if gate.max_rise is not None or gate.max_fall is not None else None,
        "n_broken": len(broken),
        "ok": first or (bool(judged) and not broken),
    }


def excess(gate: Gate, value: float, before: float | None) -> float:
    """How far a value lies beyond its limits, at most 0 where it does not; a change since nothing is none."""
    rise = 0.0 if before is None else value - before
    sides = (
        (value, gate.max),
        (-value, None if gate.min is None else -gate.min),
        (rise, gate.max_rise),
        (-rise, gate.max_fall),
    )
    return max((measured - limit for measured, limit in sides if limit is not None), default=0.0)
