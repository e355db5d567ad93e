"""A flow, started by hand: on the Prefect server that the environment names, or on one for this run only."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from assay.contracts.errors import AssayError
from assay.contracts.spec import load_spec
from assay.store.lock import held_lock
from flows.prefect_server import prefect_server

WAIT_SECONDS = 60.0
NIGHT = "quality_snapshot"


def main(flow: str, arguments: Sequence[str], lists: Sequence[str] = ()) -> int:
    """Run a flow once and print what it returns, a path. Returns the exit status that `assay` would have.

    Args:
        flow: the flow's name, which is its module's.
        arguments: of the command line: `SPEC [HOME]`, and `--NAME A,B` for each of `lists`, parameters of the flow.
    """
    parser = argparse.ArgumentParser(prog=f"python flows/{flow}.py")
    parser.add_argument("spec", type=Path, help="the dataset's TOML file")
    parser.add_argument("home", type=Path, nargs="?", default=os.environ.get("ASSAY_HOME", "assay-home"))
    for name in lists:
        parser.add_argument(f"--{name}", default="", metavar="A,B")
    chosen = vars(parser.parse_args(arguments))
    parameters = {name: [word.strip() for word in chosen[name].split(",") if word.strip()] for name in lists}
    try:
        print(run_flow(chosen["spec"], chosen["home"], flow, **parameters))
    except AssayError as error:
        print(f"assay: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def run_flow(spec_path: Path, home: Path, flow: str = NIGHT, **parameters: list[str]) -> Path:
    """One run of a flow. Prefect is imported inside, once its settings are made.

    Raises:
        BusyError: another flow that was started by hand is under way in this home.
    """
    dataset = load_spec(spec_path).name
    folder = home.resolve() / ".prefect" / "by-hand"
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    with (
        held_lock(folder / "lock", f"the Prefect server of {folder}", "a flow by hand", WAIT_SECONDS),
        prefect_server(folder) as server,
    ):
        if server is not None:
            server.start(brief=True)
            os.environ["ASSAY_NO_TAGS"] = "1"  # read by tasks/stages.py, which says why
        run = getattr(importlib.import_module(f"flows.{flow}"), flow)
        if server is not None:
            server.wait()
        return Path(str(run(str(spec_path.resolve()), str(home.resolve()), dataset, **parameters)))
