"""kill -9 at random moments: the last snapshot stays whole, and the next run equals an undisturbed one.

    python benchmarks/kill.py [--kills 50] [--seed 0]

Publishes digits once undisturbed, then, in other homes, kills the run at a random moment, checks every snapshot that is
there, runs again, and compares the digests of all tables with the undisturbed ones.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from assay.store.snapshots import list_snapshots, read_snapshot, verify
from assay.store.workspace import Workspace
from tests.corpus import write_digits
from tests.nightly import DIGITS_SPEC


def start(spec: Path, home: Path) -> subprocess.Popen:
    """The night as a process of its own."""
    command = [sys.executable, str(ROOT / "tests" / "nightly.py"), str(spec), str(home)]
    return subprocess.Popen(
        command, cwd=ROOT, env={**__import__("os").environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def digests(path: Path) -> dict[str, str]:
    """Table → digest of a snapshot."""
    return {name: table["digest"] for name, table in read_snapshot(path).manifest["tables"].items()}


def kill_once(spec: Path, home: Path, seconds: float, wanted: list[dict[str, str]]) -> bool:
    """One kill after `seconds`, then a run to the end. True where the kill came before the run's own end."""
    victim = start(spec, home)
    time.sleep(seconds)
    killed = victim.poll() is None
    victim.send_signal(signal.SIGKILL)
    victim.communicate()
    workspace = Workspace(home, "digits")
    for snapshot in list_snapshots(workspace):
        assert verify(snapshot) == [], snapshot.path
    output, _ = (survivor := start(spec, home)).communicate()
    assert survivor.returncode == 0
    path = Path(output.decode().strip())
    assert digests(path) == wanted[read_snapshot(path).number - 1]  # a second night where the kill came after the first
    return killed


def main() -> None:
    """Print one line a kill and a summary; exit with an error at the first broken promise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    moments = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        write_digits(base / "digits", seed=0, n=200)
        spec = base / "digits.toml"
        spec.write_text(DIGITS_SPEC)
        started = time.monotonic()
        outputs = [start(spec, base / "undisturbed").communicate()[0] for _ in range(2)]
        whole = (time.monotonic() - started) / 1.5
        wanted = [digests(Path(output.decode().strip())) for output in outputs]
        killed = 0
        for number in range(arguments.kills):
            seconds = moments.uniform(0.3 * whole, whole)
            killed += kill_once(spec, base / f"home{number}", seconds, wanted)
            print(
                f"kill {number + 1} at {seconds:.2f} of {whole:.2f} s: whole, and equal after the next run", flush=True
            )
            shutil.rmtree(base / f"home{number}")
    print(json.dumps({"kills": arguments.kills, "before_the_end": killed, "run_seconds": round(whole, 1)}))


if __name__ == "__main__":
    main()
