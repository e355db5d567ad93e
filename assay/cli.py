"""The command line. Each command is a few lines over a function that a program could call as well.

Imports are inside the commands: `assay --help` and `assay query` must not wait for torch or Prefect.
Results go to standard output, progress and messages to standard error.
"""

import atexit
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.contracts.errors import AssayError, SnapshotError, SpecError
from assay.stopping import end_when_asked, say_stopped, stop_when_asked

if TYPE_CHECKING:
    import duckdb

    from assay.store.workspace import Workspace

EXIT_REFUSED = 2
EXIT_GATE_FAILED = 3


class Home(click.Path):
    """A folder, or `s3://bucket/prefix`, of which it is the cache."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        from assay.remote.address import local_home

        return super().convert(local_home(value), param, context)


home_option = click.option(
    "--home",
    envvar="ASSAY_HOME",
    default="assay-home",
    show_default=True,
    type=Home(file_okay=False, path_type=Path),
    help="Where results live: a folder, or s3://bucket/prefix (or ASSAY_HOME).",
)
snapshot_option = click.option("--snapshot", type=int, help="A snapshot's number; the newest by default.")
dataset_argument = click.argument("dataset")
wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait where a run or gc of the dataset is under way.",
)


class Command(click.Command):
    """Where reading a snapshot fails as its bytes have rotted, that is what it says."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (AssayError, BrokenPipeError, click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            named = isinstance(error, OSError) and error.filename is not None  # Polars names none
            if named or (problem := damage_behind(**context.params)) is None:
                raise
            raise SnapshotError(problem) from None


def damage_behind(
    home: Path | None = None, dataset: str = "", snapshot: int | None = None, spec: Path | None = None, **_: object
) -> str | None:
    """A damaged file of the snapshots that a command reads; None where there is none, or it reads none."""
    from assay.contracts.spec import load_spec
    from assay.store.damage import damage

    if home is None or not (dataset or spec):
        return None
    named = dataset or (load_spec(spec).name if spec is not None else "")
    return damage(workspace_of(home, named, brought=False), [] if snapshot is None else [snapshot])


class Commands(click.Group):
    """Shows commands in the order in which one meets them, and turns our errors into messages and exit statuses."""

    command_class = Command

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except AssayError as error:
            print(f"assay: {error}", file=sys.stderr)
            sys.exit(error.exit_status)
        except BrokenPipeError:
            raise  # whoever read our output has seen enough
        except OSError as error:
            if error.filename is None:
                raise
            print(f"assay: {error.filename}: {error.strerror}; name another place, or change it", file=sys.stderr)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(say_stopped())


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="assay")
def main() -> None:
    """Nightly, versioned quality snapshots of training data."""


@main.command()
@click.option("--modality", default="image", show_default=True, help="Which kind of data: text, audio, …")
@home_option
def demo(modality: str, home: Path) -> None:
    """The whole pipeline on bundled data with planted defects, offline."""
    from assay.selftest.demo import run_demo

    stop_when_asked()
    run_demo(home.resolve(), modality=modality)


@main.command()
@click.argument("name", required=False)
@click.option("--from", "given", type=click.Path(exists=True, path_type=Path), help="The file, or a folder of them.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where it goes; default: sandbox/NAME.")
def sandbox(name: str | None, given: Path | None, folder: Path | None) -> None:
    """A public dataset with a spec, fetched with its digest; without NAME: which there are."""
    from assay.selftest.sandbox import make_sandbox, sandbox_table

    if name is None:
        print(sandbox_table())
        return
    stop_when_asked()
    make_sandbox(name, folder or Path("sandbox") / name, given)


@main.command()
@click.argument("spec", type=click.Path(path_type=Path))
@home_option
@wait_option
@click.option("--json", "as_json", is_flag=True, help="Print the snapshot's headline as JSON.")
@click.option("--new-reference", is_flag=True, help="Learn from tonight's data which distances are usual.")
def run(spec: Path, home: Path, wait: float, as_json: bool, new_reference: bool) -> None:
    """One night, without Prefect; the last line names the snapshot."""
    from assay.contracts.spec import load_spec

    name = load_spec(spec).name  # a bad spec fails here, before anything slow is imported
    if new_reference:
        from assay.duplicates.reference import renew_references
        from assay.remote.home import begin
        from assay.store.lock import dataset_lock

        workspace = workspace_of(home, name, brought=False)
        with dataset_lock(workspace, "`assay run --new-reference`", wait):
            begin(workspace)
            renew_references(workspace, "asked for with --new-reference")
    from assay.contracts.gates import holds, says
    from assay.night import run_spec

    stop_when_asked()
    began = time.monotonic()
    snapshot = run_spec(spec, home, wait)
    for gate in snapshot.manifest["gates"]:
        if not gate["ok"]:
            print(f"assay: gate {'warns' if gate['level'] == 'warn' else 'failed'}: {says(gate)}", file=sys.stderr)
    if as_json:
        fields = {"dataset": name, "snapshot": snapshot.number, "path": str(snapshot.path)}
        print(json.dumps(fields | {key: snapshot.manifest[key] for key in ("headline", "gates", "parent")}))
    else:
        from assay.report.terminal import last_words

        last_words(snapshot, time.monotonic() - began)
        print(snapshot.path)
    sys.exit(0 if holds(snapshot.manifest["gates"]) else EXIT_GATE_FAILED)


@main.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.argument("batch", type=click.Path(path_type=Path))
@click.option("--max", "limits", multiple=True, metavar="NAME=N", help="At most N findings, or N% of the samples.")
@click.option("--split", help="Where samples stand that name no split; default: the snapshot's training split.")
@click.option("--to", "folder", type=click.Path(path_type=Path), help="Write each table there.")
@click.option("--format", "form", type=click.Choice(["parquet", "json"]), default="parquet", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
@snapshot_option
@home_option
def check(
    spec: Path,
    batch: Path,
    limits: tuple[str, ...],
    split: str | None,
    folder: Path | None,
    form: str,
    as_json: bool,
    snapshot: int | None,
    home: Path,
) -> None:
    """A batch of new data against a snapshot, before it is let in; status 1 where a limit of --max is broken."""
    from assay.api import check as check_batch

    stop_when_asked()
    with refused():
        given = dict(one.partition("=")[::2] for one in limits)
        done = check_batch(spec, batch, snapshot=snapshot, split=split, limits=given, home=home)
        if folder is not None:
            done.write(folder, form)
    print(json.dumps(done.described()) if as_json else done.words())
    for limit, value in done.broken:
        print(f"assay: over the limit: {limit.name} is {value:g}, at most {limit} wanted", file=sys.stderr)
    sys.exit(0 if done.passed else 1)


@main.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--n", "count", default=100, show_default=True, type=click.IntRange(min=1), help="How many samples.")
@click.option(
    "--to", "file", type=click.Path(path_type=Path), help="A .csv, .json or .parquet file; default: CSV here."
)
@snapshot_option
@home_option
def select(spec: Path, count: int, file: Path | None, snapshot: int | None, home: Path) -> None:
    """Which unlabelled samples to label next, the most useful first, with a reason for each."""
    from assay.api import select as choose
    from assay.reading.printed import csv_text, write_file

    stop_when_asked()
    found = choose(spec, count, snapshot=snapshot, home=home)
    if file is None:
        sys.stdout.write(csv_text(found))
        return
    write_file(found, file)
    print(file)


@main.command()
@click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=Path))
@home_option
def serve(specs: tuple[Path, ...], home: Path) -> None:
    """Run the specs on their cron schedules, with Prefect, until it is stopped."""
    from assay.rim import become

    become("flows/serve.py", [*map(str, specs), "--home", str(home.resolve())])


@main.command()
@home_option
def datasets(home: Path) -> None:
    """What a home has: each dataset's newest snapshot."""
    from assay.api import datasets as found
    from assay.report.terminal import dataset_lines

    dataset_lines(found(home).iter_rows())


@main.command()
@dataset_argument
@home_option
def snapshots(dataset: str, home: Path) -> None:
    """The versions of a dataset, with their headline numbers."""
    from assay.report.terminal import snapshot_lines
    from assay.store.snapshots import list_snapshots, open_snapshot

    workspace = workspace_of(home, dataset)
    open_snapshot(workspace)  # says what is wrong where there is none
    snapshot_lines(list_snapshots(workspace))


@main.command()
@dataset_argument
@click.argument("sql")
@snapshot_option
@click.option("--format", "output", type=click.Choice(["table", "csv", "json", "parquet"]), default="table")
@click.option("--allow", multiple=True, type=click.Path(path_type=Path), help="A file or folder it may read, too.")
@click.option("--unlocked", is_flag=True, help="Any statement, and any file that you may read or write.")
@home_option
def query(
    dataset: str, sql: str, snapshot: int | None, output: str, allow: tuple[Path, ...], unlocked: bool, home: Path
) -> None:
    """Ask a snapshot in SQL, e.g. "select * from label_issues order by score desc limit 20"."""
    from assay.reading.ask import ask, mistakes_in_words
    from assay.store.snapshots import open_snapshot

    relation = ask(open_snapshot(workspace_of(home, dataset), snapshot), sql, allow, unlocked)
    if relation is not None:
        with mistakes_in_words():
            print_relation(relation, output)


@main.command()
@dataset_argument
@click.argument("versions", nargs=-1, type=int)
@home_option
def diff(dataset: str, versions: tuple[int, ...], home: Path) -> None:
    """What changed: between two versions A B, or in the newest one."""
    from assay.store.snapshots import diff as compare
    from assay.store.snapshots import open_snapshot, snapshot_numbers

    workspace = workspace_of(home, dataset)
    numbers = versions or tuple(snapshot_numbers(workspace.snapshots)[-2:])
    if not versions and len(numbers) == 1:
        raise SpecError(f"`{dataset}` has one version, v{numbers[0]}; the next run makes one to compare with")
    if len(numbers) != 2:
        raise SpecError(f"`assay diff` compares two versions; found {len(numbers)} of `{dataset}`. Name two: A B")
    old, new = (open_snapshot(workspace, number) for number in numbers)
    changes = compare(old, new)
    counts = changes.group_by("change").len().sort("len", descending=True).iter_rows()
    said = ", ".join(f"{n:,} {change}" for change, n in counts)
    print(f"{old.name} → {new.name}: {len(changes)} changes{': ' if said else ''}{said}", file=sys.stderr)
    sys.stdout.write(changes.with_columns(metric=changes["metric"].replace("", "-")).write_csv(separator="\t"))


@main.command()
@dataset_argument
@snapshot_option
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the shareable view there.")
@home_option
def report(dataset: str, snapshot: int | None, output: Path | None, home: Path) -> None:
    """The static report of a snapshot: its path, or with --output the explorer's view as one file."""
    from assay.store.snapshots import open_snapshot

    found = open_snapshot(workspace_of(home, dataset), snapshot)
    if output is None:
        print(found.path / "report.html")
        return
    from assay.explorer.export import export_view

    export_view(found, output)
    print(output)


@main.command()
@dataset_argument
@click.option("--port", type=int, default=0, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address is for other machines, too.")
@click.option("--guest", "guests", multiple=True, metavar="NAME", help="One more link; decisions carry that name.")
@click.option("--no-browser", is_flag=True, help="Do not open a browser.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A model's predictions to evaluate: CSV or Parquet with sample_id, predicted, probability.",
)
@home_option
def explore(
    dataset: str,
    port: int,
    host: str,
    guests: tuple[str, ...],
    no_browser: bool,
    predictions: Path | None,
    home: Path,
) -> None:
    """The explorer: see the data, find what is wrong, take it away. The link that it prints is the key."""
    from assay.explorer.serve import explore as serve_explorer

    workspace = workspace_of(home, dataset)
    if predictions is not None:
        from assay.store.predictions import bring_predictions

        print(f"{bring_predictions(workspace, predictions):,} predictions kept", file=sys.stderr)
    serve_explorer(workspace, port=port, open_browser=not no_browser, host=host, guests=guests)


@main.command()
@dataset_argument
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--link", is_flag=True, help="Link to the source's own files instead of copying them.")
@snapshot_option
@home_option
def cleaned(dataset: str, folder: Path, link: bool, snapshot: int | None, home: Path) -> None:
    """The cleaned dataset as files, one folder a class: copies and dropped samples out, accepted labels in."""
    import numpy as np

    from assay.exporting.folder import write_folder
    from assay.reading.columns import View
    from assay.store.decisions import read_decisions
    from assay.store.snapshots import open_snapshot

    workspace = workspace_of(home, dataset)
    view = View(open_snapshot(workspace, snapshot), lambda: read_decisions(workspace))
    taken = write_folder(view, np.ones(len(view), dtype=bool), folder, link)
    for sample, why in list(taken.left_out.items())[:10]:
        print(f"assay: left out: {sample}: {why}", file=sys.stderr)
    if taken.left_out:
        print(f"assay: {len(taken.left_out):,} left out, {taken.n:,} written", file=sys.stderr)
    print(folder)


@main.command()
@dataset_argument
@click.argument("form", metavar="FORMAT", type=click.Choice(["delta", "hugging-face", "label-studio", "cleanvision"]))
@click.argument("target", type=click.Path(path_type=Path))
@snapshot_option
@home_option
def export(dataset: str, form: str, target: Path, snapshot: int | None, home: Path) -> None:
    """A snapshot for other tools: Delta tables, a dataset folder of Hugging Face, a project, CleanVision's table."""
    from assay.exporting.export import export_snapshot

    said, left_out = export_snapshot(workspace_of(home, dataset), snapshot, form, target)
    for sample, why in list(left_out.items())[:10]:
        print(f"assay: left out: {sample}: {why}", file=sys.stderr)
    print(f"assay: {said}", file=sys.stderr)
    print(target)


@main.command()
def embedders() -> None:
    """What can embed what, at what size and cost."""
    from assay.embedders.printed import print_embedders

    print_embedders()


@main.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("--models", default="", help="Separated by commas; default: all that work here without a network.")
@click.option("--sample", type=click.IntRange(min=50), default=2000, show_default=True)
@home_option
def compare(spec: Path, models: str, sample: int, home: Path) -> None:
    """Rank embedders on a sample of your own data and recommend one."""
    from assay.selftest.compare import compare_models

    compare_models(spec, [model.strip() for model in models.split(",") if model.strip()], sample, home.resolve())


@main.command()
@click.argument("spec", type=click.Path(path_type=Path))
@home_option
def selftest(spec: Path, home: Path) -> None:
    """Plant known defects into a copy of your own data; report what each detector finds."""
    from assay.selftest.run import run_selftest

    stop_when_asked()
    run_selftest(spec, home.resolve())


@main.command()
@dataset_argument
@snapshot_option
@click.option("--repair", "mend", is_flag=True, help="Put right what can be: of every snapshot, or of --snapshot N.")
@home_option
def verify(dataset: str, snapshot: int | None, mend: bool, home: Path) -> None:
    """Re-read a snapshot and check every digest and contract; and the catalog, and the decisions."""
    from assay.remote.home import problems_in_store
    from assay.store.catalog_check import verify_catalog
    from assay.store.decisions import lost_decisions
    from assay.store.snapshots import open_snapshot
    from assay.store.snapshots import verify as problems_of

    workspace = workspace_of(home, dataset)
    if mend:
        put_right(dataset, snapshot, home)
        return
    found = open_snapshot(workspace, snapshot)
    problems, of_catalog = problems_of(found), verify_catalog(workspace, open_snapshot(workspace))
    in_store = problems_in_store(workspace, found.number)
    lost = [f"decisions: batch number {number}: {why}" for number, why in lost_decisions(workspace).items()]
    for problem in problems + of_catalog + lost + in_store:
        print(problem)
    again = "`assay verify --repair` puts right what can be"
    if problems:
        raise SnapshotError(f"{found.path} is damaged ({len(problems)} findings); {again}, `assay run` publishes again")
    if of_catalog:
        raise SnapshotError(
            f"{found.path} is whole; the catalog is not ({len(of_catalog)} findings): {again}, or remove "
            f"{workspace.root}/catalog.duckdb, and the next command writes it again"
        )
    if lost:
        raise SnapshotError(f"{found.path} is whole; {len(lost)} batches of decisions are lost; {again}")
    if in_store:
        raise SnapshotError(
            f"{found.path} is whole; the store is not ({len(in_store)} findings): `assay push {dataset} S3-ADDRESS` "
            "from a home that has the files sends what is missing"
        )
    print(f"{found.path}: whole")


def put_right(dataset: str, snapshot: int | None, home: Path) -> None:
    """`assay verify --repair`."""
    from assay.api import repair

    done = repair(dataset, snapshot, home)
    for line in done.repaired:
        print(f"repaired: {line}")
    for line in done.lost:
        print(f"lost: {line}")
    if done.lost:
        raise SnapshotError(f"`{dataset}`: {len(done.repaired)} repaired; {len(done.lost)} could not be")
    print(f"{dataset}: whole, {len(done.repaired)} repaired")


@main.command()
@click.argument("names", nargs=-1, metavar="[DATASET]…")
@click.option("--to", "file", type=click.Path(path_type=Path), help="Write it there, whole or not at all.")
@home_option
def metrics(names: tuple[str, ...], file: Path | None, home: Path) -> None:
    """The state of a home's datasets, or of some, in Prometheus' text format."""
    from assay.operating.prometheus import datasets_of, metrics_text
    from assay.remote.home import fetch_all
    from assay.store.files import atomic_file
    from assay.store.snapshots import open_snapshot

    for name in names:
        open_snapshot(workspace_of(home, name))  # says what is wrong where there is none
    if not names:
        fetch_all(home.resolve())
    text = metrics_text([workspace_of(home, name) for name in names] or datasets_of(home.resolve()))
    if file is None:
        sys.stdout.write(text.decode("utf-8"))
        return
    with atomic_file(file) as aside:
        aside.write_bytes(text)
    print(file)


@main.command()
@click.argument("spec", type=click.Path(path_type=Path))
def notify(spec: Path) -> None:
    """Send a message to whomever `[notify]` of a spec names, to see whether it arrives."""
    from assay.contracts.spec import load_spec
    from assay.operating.notify import try_out

    print(try_out(load_spec(spec)))


@main.command()
@dataset_argument
@home_option
def pull(dataset: str, home: Path) -> None:
    """Bring a dataset of a home on S3 to this machine whole, every file checked; prints the folder of its cache."""
    from assay.remote.home import fetch
    from assay.store.snapshots import open_snapshot

    workspace = workspace_of(home, dataset, brought=False)
    numbers = fetch(workspace, thorough=True)
    open_snapshot(workspace)  # brings the catalog up to it
    print(f"{len(numbers)} snapshots brought", file=sys.stderr)
    print(workspace.root)


@main.command()
@dataset_argument
@click.argument("address", metavar="s3://BUCKET/PREFIX")
@home_option
def push(dataset: str, address: str, home: Path) -> None:
    """Publish the snapshots of a home that is a folder to one on S3, with the decisions."""
    from assay.remote.push import push_home
    from assay.store.snapshots import open_snapshot, snapshot_numbers

    stop_when_asked()
    workspace = workspace_of(home, dataset)
    open_snapshot(workspace)  # says what is wrong where there is none
    numbers = push_home(workspace, snapshot_numbers(workspace.snapshots), address)
    print(f"{len(numbers)} snapshots sent", file=sys.stderr)
    print(address)


@main.command()
@dataset_argument
@click.option("--keep", type=click.IntRange(min=1), help="How many of the newest snapshots stay.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="And all that are younger than this.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option(
    "--grace-hours",
    default=24.0,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Unpublished work younger than this stays.",
)
@wait_option
@home_option
def gc(
    dataset: str, keep: int | None, days: float | None, dry_run: bool, grace_hours: float, wait: float, home: Path
) -> None:
    """Remove old snapshots, and work and facts that no kept one needs."""
    from assay.remote.home import collect_store
    from assay.store.garbage import collect_garbage
    from assay.store.lock import dataset_lock
    from assay.store.snapshots import open_snapshot

    if keep is None and days is None:
        raise SpecError("say what to keep: --keep N newest snapshots, or --days D for all younger ones, or both")
    workspace = workspace_of(home, dataset)
    open_snapshot(workspace)
    with dataset_lock(workspace, "`assay gc`", wait):
        keys = collect_store(workspace, keep or 1, days, grace_hours, dry_run)
        removed = collect_garbage(workspace, keep or 1, dry_run, grace_hours, days)
    for path in [*keys, *removed]:
        print(path)
    print(f"{len(keys) + len(removed)} {'would be ' if dry_run else ''}removed", file=sys.stderr)


@contextlib.contextmanager
def refused() -> Iterator[None]:
    """Status 2 for whatever keeps a command from answering, where 1 is an answer."""
    try:
        yield
    except AssayError as error:
        error.exit_status = EXIT_REFUSED
        raise
    except OSError as error:
        if error.filename is None:
            raise
        raise SpecError(f"{error.filename}: {error.strerror}; name another place, or change it") from None


def workspace_of(home: Path, dataset: str, brought: bool = True) -> "Workspace":
    """The workspace of a dataset named on the command line; of a home on S3, `brought` to this machine."""
    from assay.remote.home import fetch
    from assay.store.workspace import Workspace

    if "/" in dataset or "\0" in dataset or dataset.startswith("."):
        raise SpecError(f"{dataset!r} is not a dataset's name; it is the `name` in its spec, a folder in {home}")
    workspace = Workspace(home.resolve(), dataset)
    if brought:
        fetch(workspace)
    return workspace


def print_relation(relation: "duckdb.DuckDBPyRelation", output: str) -> None:
    """A query's rows on standard output; as a table they are cut to fit a terminal, and whole elsewhere."""
    if output == "table":
        from assay.reading.fitted import fitted

        width = os.get_terminal_size().columns if sys.stdout.isatty() else 0
        (fitted(relation, width) if width else relation).show(max_rows=1000, max_width=width or 200)
        return
    from assay.reading.printed import write_rows

    write_rows(relation, output, sys.stdout.buffer)


def command_line() -> None:
    """`assay`: one command, and out at once.

    Taking torch, DuckDB and Prefect apart object by object takes the interpreter a second. The handler is registered
    first, so it runs last: after every other one, with all threads joined.
    """
    status = 1  # of an error that nobody caught

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # a reader that went away
                stream.flush()
        os._exit(status)

    atexit.register(leave)
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


if __name__ == "__main__":
    end_when_asked()
    command_line()
