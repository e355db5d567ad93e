"""The snapshot's tables as Delta tables, one folder each, a version a snapshot: so Delta keeps their history."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from assay.contracts.errors import SpecError
from assay.store.snapshots import Snapshot

SIGNED = {pl.UInt8: pl.Int16, pl.UInt16: pl.Int32, pl.UInt32: pl.Int64, pl.UInt64: pl.Decimal(20, 0)}
NUMBER = "assay.snapshot"  # in a version's commit


def write_delta(snapshot: Snapshot, target: Path) -> int:
    """Write every table below `target`, as the next version of what is there. Returns how many were written: those
    whose newest version is of this snapshot already are left as they are.

    Raises:
        SpecError: the package deltalake is not installed; or a folder there is no Delta table.
    """
    try:
        import deltalake
    except ImportError:
        raise SpecError(
            "Delta tables need the package deltalake, which is not installed: pip install 'assay[delta]'"
        ) from None
    written = 0
    for name in sorted(snapshot.manifest["tables"]):
        place = target / name
        if place.exists() and any(place.iterdir()) and not deltalake.DeltaTable.is_deltatable(str(place)):
            raise SpecError(f"{place} holds something that is no Delta table; name another folder")
        if place.exists() and _number(deltalake, place) == snapshot.number:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        deltalake.write_deltalake(
            str(place),
            arrow_of(snapshot.read(name)),
            mode="overwrite",
            schema_mode="overwrite",
            commit_properties=deltalake.CommitProperties(custom_metadata=_described(snapshot)),
        )
        written += 1
    return written


def _described(snapshot: Snapshot) -> dict[str, str]:
    """What a version's commit says of the snapshot."""
    manifest = snapshot.manifest
    return {
        NUMBER: str(snapshot.number),
        "assay.dataset": str(manifest["dataset"]),
        "assay.created_at": str(manifest.get("created_at", "")),
    }


def _number(deltalake: Any, place: Path) -> int | None:
    """The snapshot of the newest version of a table; None where it does not say."""
    if not deltalake.DeltaTable.is_deltatable(str(place)):
        return None
    said = deltalake.DeltaTable(str(place)).history(1)[0].get(NUMBER)
    return int(said) if said is not None else None


def arrow_of(frame: pl.DataFrame) -> pa.Table:
    """A frame in the types that Delta has: no unsigned numbers, no arrays of fixed length, no half precision.

    Raises:
        SpecError: two columns differ in their case alone, which Delta takes for one.
    """
    first: dict[str, str] = {}
    for name in frame.columns:
        if first.setdefault(name.lower(), name) != name:
            raise SpecError(
                f"the columns {first[name.lower()]!r} and {name!r} differ in their case alone, and Delta takes them "
                "for one; rename one in the source"
            )
    casts = [pl.col(name).cast(kind) for name, given in frame.schema.items() if (kind := _fitting(given)) != given]
    return frame.with_columns(casts).to_arrow(compat_level=pl.CompatLevel.oldest())


def _fitting(kind: Any) -> Any:
    """The nearest type that Delta has."""
    if isinstance(kind, pl.Array | pl.List):
        return pl.List(_fitting(kind.inner))
    if isinstance(kind, pl.Float16):
        return pl.Float32()
    return SIGNED.get(type(kind), kind)
