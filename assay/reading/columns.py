"""One snapshot in memory: sample ids in order of position, coordinates, and each column as one NumPy array.

Columns are read from Parquet when first asked for, and kept. A row is a sample's place in this order: the short
handle that the browser uses for it within one snapshot.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from assay.reading.catalog import Category, Number, entries, floats, read_column
from assay.store.decisions import effective_decisions
from assay.store.snapshots import Snapshot

NO_FACE = {"kind": "none", "plural": "samples", "facts": "", "preview": "", "text": ""}
OLDER_FACES = (
    {"kind": "picture", "plural": "images", "facts": "image_facts", "preview": "thumbnail", "text": ""},
    {"kind": "text", "plural": "texts", "facts": "text_facts", "preview": "", "text": "text"},
)


@dataclass(frozen=True)
class Layout:
    """Coordinates of one projection, float32 of shape (n,), NaN where a sample has none; z is None in 2-D."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray | None


@dataclass
class View:
    """One snapshot, ready to be asked."""

    snapshot: Snapshot
    read_decisions: Callable[[], pl.DataFrame] | None = None
    read_predictions: Callable[[], pl.DataFrame | None] | None = None
    encode: Callable[[str, str], np.ndarray] | None = None  # ("words", text) or ("picture", name) → a vector
    ids: pl.Series = field(init=False)
    hashes: pl.Series = field(init=False)
    _cache: dict[object, Any] = field(default_factory=dict, repr=False)
    _forgotten: int = field(default=0, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _locks: dict[object, threading.RLock] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        samples = self.scan("samples").select("sample_id", "content_hash", "position").collect()
        if not samples["position"].is_sorted():
            samples = samples.sort("position")
        self.ids, self.hashes = samples["sample_id"], samples["content_hash"]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def label_separator(self) -> str:
        """What parts the classes of a label; empty where a label is one class."""
        return self.snapshot.manifest.get("config", {}).get("source", {}).get("label_separator", "")

    @property
    def face(self) -> dict[str, Any]:
        """How samples are shown, as `assay.contracts.modality.Face`."""
        return face_of(self.snapshot.manifest)

    def has_thumbnails(self) -> bool:
        """Whether samples are shown as pictures."""
        if not self.face["preview"]:
            return False
        return self.once("has_thumbnails", lambda: self.scan(self.face["facts"]).select(pl.len() > 0).collect().item())

    def scan(self, table: str) -> pl.LazyFrame:
        """A table of the snapshot, lazily; an empty frame of its contract where the snapshot has none."""
        parts = self.snapshot.parts(table)
        if parts:
            return pl.scan_parquet(parts)
        from assay.contracts.tables import empty

        return empty(table).lazy()

    def once(self, key: object, make: Callable[[], Any]) -> Any:
        """The value of `make()`, made once; who asks for another key meanwhile does not wait."""
        with self._lock:
            if key in self._cache:
                return self._cache[key]
            mine = self._locks.setdefault(key, threading.RLock())
        with mine:
            if key not in self._cache:
                before = self._forgotten
                value = make()
                with self._lock:
                    if before != self._forgotten:  # what it was made from may be old already
                        return value
                    self._cache[key] = value
            return self._cache[key]

    def forget(self, *keys: object) -> None:
        """Drop cached values (after a decision was made), and what is being made just now."""
        with self._lock:
            self._forgotten += 1
            for key in keys:
                self._cache.pop(key, None)

    def rows_of(self, ids: pl.Series) -> np.ndarray:
        """Row of each sample id, int64; −1 for one that is not in this snapshot."""
        if len(ids) == len(self.ids) and ids.equals(self.ids):
            return np.arange(len(ids))
        known = self.once(
            "rows", lambda: pl.DataFrame({"sample_id": self.ids, "row": np.arange(len(self.ids), dtype=np.int64)})
        )
        found = pl.DataFrame({"sample_id": ids}).join(known, on="sample_id", how="left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy()

    def spread(self, ids: pl.Series, values: np.ndarray, fill: object) -> np.ndarray:
        """`values` of some ids, as an array over all rows; `fill` elsewhere."""
        out = np.full(len(self), fill, dtype=values.dtype)
        rows = self.rows_of(ids)
        out[rows[rows >= 0]] = values[rows >= 0]
        return out

    def place(self, table: str) -> np.ndarray:
        """Row of each sample's content in a facts table (its parts one after another), int64; −1 where it has none."""

        def load() -> np.ndarray:
            facts = self.scan(table).select("content_hash").collect()["content_hash"]
            return match(self.hashes, facts)

        return self.once(("place", table), load)

    def layouts(self) -> list[str]:
        """The projections there are: umap, tsne, pca, captions, as far as computed."""
        frame = self.once("methods", lambda: self.scan("projection").select("method").unique().collect())
        return sorted(frame["method"], key=["umap", "tsne", "pca", "captions"].index)

    def layout(self, method: str) -> Layout:
        """Coordinates of one projection. Raises `KeyError` where the snapshot has no such projection."""
        if method not in self.layouts():
            raise KeyError(f"no projection {method!r}; there are {self.layouts()}")

        def load() -> Layout:
            frame = self.scan("projection").filter(pl.col("method") == method).collect()
            axes = [self.spread(frame["sample_id"], floats(frame[axis]), np.nan) for axis in "xyz"]
            return Layout(axes[0], axes[1], axes[2] if np.isfinite(axes[2]).any() else None)

        return self.once(("layout", method), load)

    def metrics(self) -> pl.DataFrame:
        """Columns metric, n, n_issues of the long table `scores`, by name."""
        return self.once(
            "metrics",
            lambda: (
                self.scan("scores")
                .group_by("metric")
                .agg(pl.len().alias("n"), pl.col("is_issue").sum().alias("n_issues"))
                .sort("metric")
                .collect()
            ),
        )

    def flags(self) -> dict[str, np.ndarray]:
        """The rows that each metric flags, ascending, by the metric's name."""

        def load() -> dict[str, np.ndarray]:
            flagged = self.scan("scores").filter(pl.col("is_issue")).select("sample_id", "metric").collect()
            rows = self.rows_of(flagged["sample_id"])
            known = flagged.with_columns(row=pl.Series(rows)).filter(pl.col("row") >= 0).sort("metric", "row")
            found = {name: np.empty(0, dtype=np.int64) for name in self.metrics()["metric"]}
            found |= {name: part["row"].to_numpy() for (name,), part in known.group_by("metric", maintain_order=True)}
            if "label_issue" not in found and self.snapshot.parts("label_issues"):
                found["label_issue"] = np.flatnonzero(self.label_issue())
            return found

        return self.once("flags", load)

    def flags_of(self, rows: np.ndarray) -> list[list[str]]:
        """The metrics that flag each of some rows."""
        found: list[list[str]] = [[] for _ in rows]
        for name, flagged in self.flags().items():
            for place in np.flatnonzero(np.isin(rows, flagged)).tolist():
                found[place].append(name)
        return found

    def issue(self, metric: str) -> np.ndarray:
        """Mask of the rows that `metric` flags. Raises `KeyError` for a metric that is not there."""
        if metric == "label_issue" and self.snapshot.parts("label_issues"):
            return self.label_issue()
        flags = self.flags()
        if metric not in flags:
            raise KeyError(f"no metric {metric!r}; there are {list(flags)}")
        mask = np.zeros(len(self), dtype=bool)
        mask[flags[metric]] = True
        return mask

    def label_issue(self) -> np.ndarray:
        """Mask of the rows whose label is flagged."""
        flagged = self.scan("label_issues").filter(pl.col("is_issue")).select("sample_id")
        return self.once("label_issue", lambda: self.spread_mask(flagged.collect()["sample_id"]))

    def spread_mask(self, ids: pl.Series) -> np.ndarray:
        """Mask of the rows of some ids."""
        mask = np.zeros(len(self), dtype=bool)
        rows = self.rows_of(ids)
        mask[rows[rows >= 0]] = True
        return mask

    def catalog(self) -> list[dict[str, Any]]:
        """Every column that can colour, sort or filter: key, title, kind, page, meaning. Reads no column."""
        return self.once("catalog", lambda: list(entries(self)))

    def column(self, key: str) -> Category | Number:
        """One column. Raises `KeyError` for a key that the catalog does not have."""
        if key not in {entry["key"] for entry in self.catalog()}:
            raise KeyError(f"no column {key!r}")
        return self.once(("column", key), lambda: read_column(self, key))

    def category(self, key: str) -> Category:
        """One column of names. Raises `KeyError` where it is none."""
        column = self.column(key)
        if not isinstance(column, Category):
            raise KeyError(f"column {key!r} has no names")
        return column

    def number(self, key: str) -> np.ndarray:
        """The values of a number column. Raises `KeyError` where it is none."""
        column = self.column(key)
        if not isinstance(column, Number):
            raise KeyError(f"column {key!r} has no numbers")
        return column.values

    def samples_of(self, rows: np.ndarray) -> pl.DataFrame:
        """`sample_id`, `content_hash`, `label` of some rows, in their order."""
        label = self.category("label")
        names = label.objects()
        values = pl.Series("label", names[label.codes[rows]].tolist(), dtype=pl.String)
        return pl.DataFrame({"sample_id": self.ids[rows], "content_hash": self.hashes[rows]}).with_columns(values)

    def predictions(self) -> pl.DataFrame | None:
        """A model's predictions that somebody brought, or None."""
        return self.once("predictions", lambda: self.read_predictions() if self.read_predictions else None)

    def decisions(self) -> pl.DataFrame:
        """The decisions that stand for this snapshot's samples."""

        def load() -> pl.DataFrame:
            made = self.read_decisions() if self.read_decisions else None
            if made is None or made.is_empty():
                return effective_decisions(pl.DataFrame(schema=_decision_schema()))
            return effective_decisions(made, self.samples_of(np.arange(len(self))))

        return self.once("decisions", load)


def face_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The face that a manifest names; of snapshots without one, by what they have."""
    there = (face for face in OLDER_FACES if manifest["tables"].get(face["facts"], {}).get("rows"))
    return manifest.get("face") or next(there, NO_FACE)


def match(hashes: pl.Series, facts: pl.Series) -> np.ndarray:
    """Index of each content hash in `facts`, int64; −1 where it is not there.

    The first 60 bits decide, which is quick; should two contents ever share them, the whole hashes are joined.
    """
    if not len(facts):
        return np.full(len(hashes), -1)
    mine, theirs = _bits(hashes), _bits(facts)
    order = np.argsort(theirs, kind="stable")
    at = order[np.minimum(np.searchsorted(theirs, mine, sorter=order), len(facts) - 1)]
    found = theirs[at] == mine
    if facts.gather(at[found]).equals(hashes.filter(pl.Series(found))):
        return np.where(found, at, -1)
    known = facts.alias("content_hash").to_frame().with_row_index("at").unique("content_hash", keep="first")
    joined = hashes.alias("content_hash").to_frame().join(known, on="content_hash", how="left", maintain_order="left")
    return joined["at"].cast(pl.Int64).fill_null(-1).to_numpy()


def _bits(hashes: pl.Series) -> np.ndarray:
    return hashes.str.slice(0, 15).str.to_integer(base=16).to_numpy()


def _decision_schema() -> dict[str, Any]:
    from assay.store.decisions import SCHEMA

    return SCHEMA
