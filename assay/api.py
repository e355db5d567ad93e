"""The Python API: run a night, open what it published, ask it, look at it. The command line is its twin."""

import functools
import html
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.contracts.errors import SpecError

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import polars as pl

    from assay.checking.result import Check
    from assay.contracts.spec import Spec
    from assay.explorer.background import RunningExplorer
    from assay.explorer.cell import ExplorerCell
    from assay.publishing.repair import Repair
    from assay.store.snapshots import Snapshot as Stored

Home = str | os.PathLike[str] | None


class Snapshot:
    """One published version of one dataset. It never changes.

    Attributes:
        dataset: the dataset's name.
        number: of the version, from 1.
        path: its folder: Parquet tables, `report.html`, `manifest.json`.
        manifest: what it was made of and with.
    """

    def __init__(self, stored: "Stored") -> None:
        self._stored = stored
        self.dataset: str = stored.path.parents[1].name
        self.number, self.path, self.manifest = stored.number, stored.path, stored.manifest
        self._past: set[str] | None = set()  # tables of `history` that the connection has; None: all

    @property
    def tables(self) -> dict[str, int]:
        """Each table's name and number of rows."""
        return {name: entry["rows"] for name, entry in sorted(self.manifest["tables"].items())}

    @property
    def headline(self) -> dict[str, float]:
        """The numbers that sum the snapshot up."""
        return dict(self.manifest["headline"])

    @property
    def passed(self) -> bool:
        """Whether every quality gate of the spec holds, those that only warn left aside."""
        from assay.contracts.gates import holds

        return holds(self.manifest["gates"])

    def table(self, name: str, columns: Sequence[str] | None = None) -> "pl.DataFrame":
        """A table, or some columns of it, in memory.

        Raises:
            SpecError: there is no such table; the message has the nearest name.
        """
        return self._stored.read(self._known(name), columns)

    def scan(self, name: str) -> "pl.LazyFrame":
        """A table, lazily. Raises as `table` does."""
        return self._stored.scan(self._known(name))

    def sql(self, query: str) -> "duckdb.DuckDBPyRelation":
        """Rows of a query over the tables, over `history.TABLE` across snapshots, and over the views `decisions` and
        `cleaned`. It reads this dataset and nothing else. `.pl()`, `.df()` and `.arrow()` make frames of it."""
        from assay.reading.ask import history_named
        from assay.store.catalog import create_history

        named = history_named(query)
        if self._past is not None and (named is None or named - self._past):  # their footers are opened, once
            create_history(self._connection, self.path.parents[1], tables=named)
            self._past = None if named is None else self._past | named
        return self._connection.sql(query)

    def diff(self, other: "Snapshot | int | None" = None) -> "pl.DataFrame":
        """What changed since another snapshot: by default the one before, as published."""
        if other is None:
            return self.table("diff")
        from assay.store.snapshots import diff

        old = other if isinstance(other, Snapshot) else Snapshot(_stored(self.dataset, other, self.path.parents[2]))
        return diff(old._stored, self._stored)

    def clean(self) -> "pl.DataFrame":
        """The samples that are left when what people decided is done; what nobody decided stays as it is."""
        return self.sql("from cleaned").pl()

    def verify(self) -> list[str]:
        """What is wrong with its files, in words; empty where all is well."""
        from assay.store.snapshots import verify

        return verify(self._stored)

    def explore(self, port: int = 0) -> "ExplorerCell | RunningExplorer":
        """The explorer: in a notebook a widget, which the cell shows where it is its last line; else in a browser.

        Args:
            port: of this machine, where there is a browser; 0 is any.

        Returns:
            In a notebook the widget: `.selection` is a frame of what is selected in the page, `.filter` says how, and
            setting it selects there. Elsewhere the running explorer: `.link` opens it, `.stop()` ends it, and it ends
            with the process anyway.

        Raises:
            SpecError: in a notebook, where the extra `notebook` is not installed.
        """
        if not _in_notebook():
            from assay.explorer.background import start

            explorer = start(self._stored, port)
            explorer.open_browser()
            return explorer
        try:
            from assay.explorer.cell import ExplorerCell
        except ModuleNotFoundError as error:
            if error.name != "anywidget":
                raise
            raise SpecError("the explorer in a notebook needs anywidget: pip install 'assay[notebook]'") from None
        return ExplorerCell(self._stored)

    def report(self) -> Path:
        """The static report's path."""
        return self.path / "report.html"

    @functools.cached_property
    def _connection(self) -> "duckdb.DuckDBPyConnection":
        return self._stored.connect(history=set())

    def _known(self, name: str) -> str:
        import difflib

        if name in self.manifest["tables"]:
            return name
        nearest = difflib.get_close_matches(name, self.manifest["tables"], 1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(self.tables)}"
        raise SpecError(f"{self.dataset} {self._stored.name} has no table {name!r}; {hint}")

    def __repr__(self) -> str:
        return f"<Snapshot {self.number} of {self.dataset!r}: {self.tables.get('samples', 0):,} samples, {self.path}>"

    def _repr_html_(self) -> str:
        created = str(self.manifest.get("created_at", ""))[:16].replace("T", " ")
        rows = [(name.replace("_", " "), _number(value)) for name, value in self.headline.items()]
        rows += [(f"gate {gate['metric']}", "holds" if gate["ok"] else "broken") for gate in self.manifest["gates"]]
        cells = "".join(
            f"<tr><td>{html.escape(name)}</td><td style='text-align:right'>{html.escape(value)}</td></tr>"
            for name, value in rows
        )
        title = f"{html.escape(self.dataset)} v{self.number:08d}"
        return f"<div><b>{title}</b> <small>{html.escape(created)} UTC</small><table>{cells}</table></div>"


def run(
    spec: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    *,
    images: str | os.PathLike[str] | None = None,
    texts: Any = None,
    vectors: "np.ndarray | None" = None,
    label: str = "label",
    labels: Sequence[Any] | None = None,
    name: str = "",
    home: Home = None,
    **sections: Mapping[str, Any],
) -> Snapshot:
    """One night of a dataset: read, clean, de-duplicate, embed, measure, publish.

    Args:
        spec: a TOML file, or its values as a dictionary.
        images: or a folder of images, a sub-folder a class.
        texts: or texts: a list of strings, or a frame (Polars, pandas, Arrow) with a column `text`.
        vectors: or a matrix of shape (n, d), a row a sample.
        label: the frame's column that holds the labels.
        labels: the labels of a list of texts or of vectors; None where a sample has none.
        name: the dataset's name; by default the folder's, `texts` or `vectors`.
        home: where results live, a folder or `s3://bucket/prefix`; by default `ASSAY_HOME`, else `assay-home`.
        sections: further sections of the spec, as in `embed={"kind": "pca"}`.

    Returns:
        The published snapshot. Whether its gates hold is `snapshot.passed`.

    Raises:
        SpecError: not exactly one of `spec`, `images`, `texts`, `vectors`; or something in them is wrong.
        AssayError: what else stopped the night, in words.
    """
    from assay.night import run_night
    from assay.store.workspace import Workspace

    given = {"spec": spec, "images": images, "texts": texts, "vectors": vectors}
    if sum(value is not None for value in given.values()) != 1:
        raise SpecError("name one of spec, images, texts, vectors, as in assay.run(images='photos')")
    place = home_of(home)
    made = _spec_of(spec, sections) if spec is not None else _brought(given, label, labels, name, place, sections)
    return Snapshot(run_night(made, Workspace(place, made.name)))


def open(dataset: str, snapshot: int | None = None, home: Home = None) -> Snapshot:
    """A published snapshot; the newest by default.

    Raises:
        SnapshotError: there is none, or not that one; the message lists what there is.
    """
    return Snapshot(_stored(dataset, snapshot, home_of(home)))


def check(
    spec: str | os.PathLike[str] | Mapping[str, Any],
    batch: Any,
    *,
    snapshot: int | None = None,
    split: str | None = None,
    limits: Mapping[str, str | float] | None = None,
    home: Home = None,
) -> "Check":
    """A batch of new data beside a published snapshot, before it is let in.

    Args:
        spec: the dataset's, as a file or a dictionary.
        batch: a folder or a table, as the spec's source is one; or a frame (Polars, pandas, Arrow).
        snapshot: its number; the newest by default.
        split: where samples stand that name none; by default the snapshot's training split.
        limits: how many findings of a kind are let pass, as in `{"label_issues": 0, "duplicates": "5%"}`.

    Returns:
        The findings: `.counts`, `.table("duplicates")`, `.passed`, `.write(folder)`.

    Raises:
        SpecError: something in the arguments is wrong, or the spec does not fit the snapshot.
        SourceError: the batch as a whole cannot be used.
        SnapshotError: there is no such snapshot, or it is damaged.
    """
    from assay.checking.result import limit
    from assay.checking.run import check_batch
    from assay.store.workspace import Workspace

    made = _spec_of(spec, {})
    bounds = [limit(name, value) for name, value in (limits or {}).items()]
    stored = _stored(made.name, snapshot, home_of(home))
    return check_batch(made, Workspace(home_of(home), made.name), stored, batch, split, bounds)


def select(
    spec: str | os.PathLike[str] | Mapping[str, Any], n: int = 100, *, snapshot: int | None = None, home: Home = None
) -> "pl.DataFrame":
    """Which unlabelled samples of a published snapshot to label next, the most useful first, with a reason for each.

    Args:
        spec: the dataset's, as a file or a dictionary.
        n: how many; of copies one is asked for.
        snapshot: its number; the newest by default.

    Raises:
        SpecError: nothing lacks a label, or labels are sets.
        SnapshotError: there is no such snapshot.
    """
    from assay.choosing.select import select as chosen

    return chosen(_stored(_spec_of(spec, {}).name, snapshot, home_of(home)), n)


def datasets(home: Home = None) -> "pl.DataFrame":
    """What a home has: a row a dataset with its newest snapshot, when that was made, and how many samples it has."""
    import polars as pl

    from assay.remote.home import fetch_all
    from assay.store.snapshots import newest_snapshot
    from assay.store.workspace import Workspace

    place, rows = home_of(home), []
    fetch_all(place)
    for folder in sorted(place.glob("*/snapshots")):
        if newest := newest_snapshot(Workspace(place, folder.parent.name)):
            samples = newest.manifest["tables"].get("samples", {}).get("rows", 0)
            rows.append((folder.parent.name, newest.number, newest.manifest.get("created_at", ""), samples))
    schema = {"dataset": pl.String, "snapshot": pl.Int64, "created_at": pl.String, "samples": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def repair(dataset: str, snapshot: int | None = None, home: Home = None) -> "Repair":
    """Put right what is damaged of a dataset's snapshots, all of them by default, wherever what was published is known.

    Returns:
        `.repaired`, what was done, and `.lost`, what is still wrong: a sentence each.

    Raises:
        SnapshotError: there is none, or not that one.
        BusyError: a run of the dataset is under way.
    """
    from assay.publishing.repair import repair as repaired
    from assay.remote.home import fetch
    from assay.store.lock import dataset_lock
    from assay.store.snapshots import snapshot_numbers
    from assay.store.workspace import Workspace

    workspace = Workspace(home_of(home), dataset)
    fetch(workspace)
    if not snapshot_numbers(workspace.snapshots):
        _stored(dataset, snapshot, workspace.home)  # says what there is
    with dataset_lock(workspace, "a repair"):
        return repaired(workspace, snapshot)


def home_of(home: Home) -> Path:
    """Where results live, absolute; of a home on S3, its cache."""
    from assay.remote.address import local_home

    return local_home(home or os.environ.get("ASSAY_HOME") or "assay-home").resolve()


def _stored(dataset: str, number: int | None, home: Path) -> "Stored":
    from assay.remote.home import fetch
    from assay.store.snapshots import open_snapshot
    from assay.store.workspace import Workspace

    workspace = Workspace(home, dataset)
    fetch(workspace)
    return open_snapshot(workspace, number)


def _spec_of(spec: str | os.PathLike[str] | Mapping[str, Any], sections: Mapping[str, Any]) -> "Spec":
    from assay.contracts.spec import load_spec, make_spec

    if isinstance(spec, Mapping):
        return make_spec({**spec, **sections}, base=Path.cwd())
    if sections:
        raise SpecError(f"a spec file says everything itself; {', '.join(sections)} is for data that has none")
    return load_spec(Path(spec))


def _brought(
    given: Mapping[str, Any],
    label: str,
    labels: Sequence[Any] | None,
    name: str,
    home: Path,
    sections: Mapping[str, Any],
) -> "Spec":
    """The spec of data that was handed over; what is in memory is kept below the home, so that it can be run again."""
    from assay.contracts.spec import make_spec

    if given["images"] is not None:
        folder = Path(os.path.expanduser(given["images"])).resolve()
        source = {"kind": "folder", "path": str(folder)}
        return make_spec({"name": name or folder.name, "modality": "image", "source": source, **sections}, Path.cwd())
    from assay.sources.brought import write_texts, write_vectors

    is_text = given["texts"] is not None
    name = name or ("texts" if is_text else "vectors")
    values: dict[str, Any] = {"name": name, "modality": "text" if is_text else "vectors", **sections}
    values["source"] = {"kind": "table", "path": str(home / name / "brought" / "samples.parquet")}
    spec = make_spec(values, Path.cwd())  # a bad name or section is refused before anything is written
    write = write_texts if is_text else write_vectors
    write(Path(values["source"]["path"]), given["texts" if is_text else "vectors"], labels, label)
    return spec


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"


def _in_notebook() -> bool:
    """Whether a cell can show a page."""
    import sys

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and hasattr(shell, "kernel")
