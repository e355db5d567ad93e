"""The nightly flow, started by hand: on the Prefect server that the environment names, or on one for this run only."""

import os
import sys
from pathlib import Path

from assay.contracts.errors import AssayError
from assay.contracts.spec import load_spec
from assay.store.lock import held_lock
from flows.prefect_server import prefect_server

WAIT_SECONDS = 60.0


def main(spec_path: str, home: str = os.environ.get("ASSAY_HOME", "assay-home")) -> int:
    """Run the flow once and print the snapshot's path. Returns the exit status of `assay run`."""
    try:
        print(run_flow(Path(spec_path), Path(home)))
    except AssayError as error:
        print(f"assay: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def run_flow(spec_path: Path, home: Path) -> Path:
    """One run of the flow. Prefect is imported inside, once its settings are made.

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
        from flows.quality_snapshot import quality_snapshot

        if server is not None:
            server.wait()
        return Path(str(quality_snapshot(str(spec_path.resolve()), str(home.resolve()), dataset)))
