"""CleanVision against our clean stage on one folder of images: seconds of each, and the ratio.

    python benchmarks/clean_speed.py FOLDER --peer-python VENV/bin/python

CleanVision lives in a virtual environment of its own (`pip install cleanvision`). Each run is a fresh process that
prints the seconds of its work, without imports and start-up: `Imagelab(…).find_issues()`, which includes its
duplicates, against our clean stage with the SQL of its issues, which includes pixel and perceptual hashes and
thumbnails. Both orders, one after the other: peer, ours, ours, peer. The medians are compared.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PEER = """
import sys, time
from cleanvision import Imagelab
if __name__ == "__main__":
    started = time.perf_counter()
    lab = Imagelab(data_path=sys.argv[1])
    lab.find_issues(verbose=False)
    print("SECONDS", time.perf_counter() - started)
"""


def main() -> None:
    """Run both sides, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--ours", action="store_true", help="run our side only, in this process")
    arguments = parser.parse_args()
    if arguments.ours:
        print("SECONDS", our_seconds(arguments.folder.resolve()))
        return
    if not arguments.peer_python:
        parser.error("--peer-python names the python of an environment with cleanvision")
    report(compare(arguments.folder.resolve(), arguments.peer_python), arguments.folder.resolve())


def our_seconds(folder: Path) -> float:
    """Seconds of the clean stage and of its issues in SQL, in a fresh home; listing the files is not counted."""
    sys.path.insert(0, str(ROOT))
    from assay.contracts.modality import find_modality
    from assay.contracts.spec import make_spec
    from assay.facts import clean
    from assay.metrics.sql import select
    from assay.sources.ingest import ingest
    from assay.store.workspace import Workspace

    source = {"kind": "folder", "path": str(folder)}
    spec = make_spec({"name": "speed", "modality": "image", "source": source}, base=folder)
    with tempfile.TemporaryDirectory() as home:
        workspace = Workspace(Path(home), spec.name)
        ingested = ingest(spec, workspace)
        started = time.perf_counter()
        cleaned = clean(spec, workspace, ingested)
        relations = {"samples": cleaned.read("samples"), "image_facts": cleaned.parts("image_facts")}
        select(find_modality("image").facts.issues[0], relations, Path(home))
        return time.perf_counter() - started


def compare(folder: Path, peer_python: Path) -> list[dict]:
    """One row a run: side, seconds of work, seconds of CPU of the whole process."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(PEER)
        script.flush()
        commands = {
            "cleanvision": [str(peer_python), script.name, str(folder)],
            "assay": [sys.executable, str(Path(__file__).resolve()), str(folder), "--ours"],
        }
        runs = []
        for side in ("cleanvision", "assay", "assay", "cleanvision"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run(
                commands[side], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = float(done.stdout.rsplit("SECONDS", 1)[1])
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            runs.append({"side": side, "seconds": round(seconds, 2), "process_cpu_seconds": round(cpu, 2)})
            print(runs[-1], file=sys.stderr, flush=True)
    return runs


def report(runs: list[dict], folder: Path) -> None:
    """Print the medians and the ratio, and write `results/clean_speed.json`."""
    median = {
        side: statistics.median(run["seconds"] for run in runs if run["side"] == side)
        for side in ("cleanvision", "assay")
    }
    result = {
        "folder": folder.name,
        "files": sum(1 for path in folder.rglob("*") if path.is_file()),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg()[0],
        "runs": runs,
        "ratio": round(median["cleanvision"] / median["assay"], 2),
    }
    (ROOT / "benchmarks" / "results").mkdir(exist_ok=True)
    (ROOT / "benchmarks" / "results" / "clean_speed.json").write_text(json.dumps(result, indent=2) + "\n")
    print(
        f"cleanvision {median['cleanvision']:.1f} s, assay {median['assay']:.1f} s: {result['ratio']:.1f} times as fast"
    )


if __name__ == "__main__":
    main()
