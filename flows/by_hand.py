"""A flow, started by hand: on the Prefect server that the environment names, or on one for this run only."""

import argparse
import contextlib
import importlib
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from assay.contracts.errors import AssayError, BusyError
from assay.contracts.spec import load_spec
from assay.remote.address import local_home
from assay.store.lock import held_lock
from flows.prefect_server import prefect_server

NIGHT = "quality_snapshot"


def main(flow: str, arguments: Sequence[str], lists: Sequence[str] = ()) -> int:
    """Run a flow once and print what it returns, a path. Returns the exit status that `assay` would have.

    Args:
        flow: the flow's name, which is its module's.
        arguments: of the command line: `SPEC [HOME]`, and `--NAME A,B` for each of `lists`, parameters of the flow.
    """
    parser = argparse.ArgumentParser(prog=f"python flows/{flow}.py")
    parser.add_argument("spec", type=Path, help="the dataset's TOML file")
    parser.add_argument("home", nargs="?", default=os.environ.get("ASSAY_HOME", "assay-home"))
    for name in lists:
        parser.add_argument(f"--{name}", default="", metavar="A,B")
    chosen = vars(parser.parse_args(arguments))
    parameters = {name: [word.strip() for word in chosen[name].split(",") if word.strip()] for name in lists}
    try:
        print(run_flow(chosen["spec"], local_home(chosen["home"]), flow, **parameters))
    except AssayError as error:
        print(f"assay: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def run_flow(spec_path: Path, home: Path, flow: str = NIGHT, **parameters: list[str]) -> Path:
    """One run of a flow. Prefect is imported inside, once its settings are made.

    Raises:
        BusyError: a run of the dataset is under way, and another waits for it already.
    """
    dataset = load_spec(spec_path).name
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    with own_folder(home.resolve() / ".prefect") as folder, prefect_server(folder) as server:
        if server is not None:
            server.start(brief=True)
            os.environ["ASSAY_NO_TAGS"] = "1"  # read by tasks/stages.py, which says why
        run = getattr(importlib.import_module(f"flows.{flow}"), flow)
        if server is not None:
            server.wait()
        from prefect.exceptions import CancelledRun

        try:
            return Path(str(run(str(spec_path.resolve()), str(home.resolve()), dataset, **parameters)))
        except CancelledRun as left_out:
            raise BusyError(f"{left_out} Wait for them to end, then run again") from None


@contextlib.contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """A folder for a Prefect server that no other run has at the moment: `by-hand`, beside it `by-hand-2`, ….

    Two of one dataset wait for each other by the dataset's lock; two of different ones need not.
    """
    for number in itertools.count(1):
        folder = parent / ("by-hand" if number == 1 else f"by-hand-{number}")
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(held_lock(folder / "lock", str(folder), "a flow by hand", wait=0.0))
            except BusyError:
                continue
            yield folder
            return
