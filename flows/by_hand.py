"""The nightly flow, started by hand: on the Prefect server that the environment names, or on one for this run only."""

import os
import sys
from pathlib import Path

from assay.contracts.errors import AssayError
from assay.contracts.spec import load_spec
from flows.prefect_server import prefect_server


def main(spec_path: str, home: str = os.environ.get("ASSAY_HOME", "assay-home")) -> int:
    """Run the flow once and print the snapshot's path. Returns the exit status of `assay run`."""
    try:
        print(run_flow(Path(spec_path), Path(home)))
    except AssayError as error:
        print(f"assay: {error}", file=sys.stderr)
        return error.exit_status
    return 0


def run_flow(spec_path: Path, home: Path) -> Path:
    """One run of the flow. Prefect is imported inside, once its settings are made."""
    dataset = load_spec(spec_path).name
    with prefect_server(home) as server:
        from flows.quality_snapshot import quality_snapshot

        with server.ready():
            return Path(quality_snapshot(str(spec_path), str(home), dataset))
