"""What the command line says of snapshots: a run's last words, and tables for people. Scripts read the other lines."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from assay.reading import overview, queues
from assay.reading.columns import View
from assay.store.progress import duration
from assay.store.snapshots import Snapshot

if TYPE_CHECKING:
    from rich.console import Console

CHANGED = {"label_changed": "with another label", "content_changed": "with other content"}  # by change of samples
NARROW = 80  # columns where the width of the terminal is not known


def last_words(snapshot: Snapshot, seconds: float) -> None:
    """What the night found, what changed, how long it took, where the report is and what to do next: to stderr."""
    view = View(snapshot)
    told = overview.told(view, snapshot.manifest, [], queues.queues(view), view.face["plural"])
    console = _console(sys.stderr)
    dataset = snapshot.manifest["dataset"]
    console.print()
    console.print(f"{dataset} {snapshot.name}", style="bold", markup=False)
    console.print(told["sentence"], markup=False)
    if told["changes"]:
        console.print(_changed(told["changes"], told["parent"]), markup=False)
    for line in told["health"]:
        if not line["ok"]:
            console.print(f"! {line['title']}: {line['says']}", style="yellow", markup=False)
    console.print()
    for name, value in (
        ("took", duration(seconds)),
        ("report", str(snapshot.path / "report.html")),
        ("review", f"assay explore {dataset}"),
    ):
        console.print(f"  {name:<8}{value}", markup=False, highlight=False, soft_wrap=True)
    console.print()


def _changed(changes: dict[str, Any], parent: int) -> str:
    anew = changes["anew"]["up"]["n"] + changes["anew"]["down"]["n"]
    moved = [f"{n:,} {CHANGED.get(change, change)}" for change, n in changes["counts"].items()]
    samples = f"; samples: {', '.join(moved)}" if moved else ""
    known = f"{changes['fixed']['n']:,} fixed, {changes['new']['n']:,} new"
    return f"Since v{parent}: {known}, {anew:,} judged differently{samples}."


def snapshot_lines(snapshots: Iterable[Snapshot]) -> None:
    """The versions of a dataset to stdout: a table for a person, plain lines for a script, oldest first."""
    there = list(snapshots)
    if not sys.stdout.isatty():
        for snapshot in there:
            numbers = "  ".join(f"{name}={value:g}" for name, value in snapshot.manifest["headline"].items())
            print(f"{snapshot.name}  {snapshot.manifest['created_at']}  {numbers}")
        return
    names = list(dict.fromkeys(name for snapshot in there for name in snapshot.manifest["headline"]))
    rows = [
        [
            f"v{s.number}",
            s.manifest["created_at"][:16].replace("T", " "),
            *(_figure(s.manifest["headline"].get(name)) for name in names),
        ]
        for s in there
    ]
    table(["", "at (UTC)", *(name.removeprefix("n_").replace("_", " ") for name in names)], rows)


def dataset_lines(rows: Iterable[tuple[str, int, str, int]]) -> None:
    """Datasets as (name, number, created, samples) to stdout: a table for a person, plain lines for a script."""
    found = [(name, number, created[:16].replace("T", " "), samples) for name, number, created, samples in rows]
    if not sys.stdout.isatty():
        for name, number, created, samples in found:
            print(f"{name}  v{number:08d}  {created}  {samples:,} samples")
        return
    table(
        ["dataset", "newest", "at (UTC)", "samples"], [[n, f"v{v}", at, f"{samples:,}"] for n, v, at, samples in found]
    )


def table(heads: list[str], rows: list[list[str]]) -> None:
    """A plain table to stdout; all columns but the first two are numbers."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="dim")
    for place, head in enumerate(heads):
        made.add_column(head, justify="left" if place < 2 else "right", no_wrap=place < 2)
    for row in rows:
        made.add_row(*row)
    _console(sys.stdout).print(made)


def _figure(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.3g}"


def _console(stream: TextIO) -> "Console":
    from rich.console import Console

    width = None if stream.isatty() else NARROW
    return Console(file=stream, width=width, emoji=False, highlight=False)
