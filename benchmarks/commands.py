"""What each command costs before it does anything, and what a night costs that has little or nothing to do.

    python benchmarks/commands.py [--images 101_ObjectCategories] [--model MODEL_DIRECTORY] [--rounds 5]

Each command is a process of its own, the best of its rounds: seconds of processor time, of all threads and children,
and seconds by the clock. Heavy packages that a command loads are named. Then a night of 60 texts; with --images whole
nights on that folder: the first, an unchanged one, the same while PREFECT_API_URL names a running server, and the same
as the Prefect flow on that server. Writes benchmarks/results/commands.json.
"""

import argparse
import contextlib
import csv
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from flows.prefect_server import QUIET

RESULTS = Path(__file__).parent / "results" / "commands.json"
HEAVY = ("torch", "umap", "prefect", "sqlalchemy", "sklearn", "scipy", "polars", "pyarrow", "numpy", "duckdb")
TICKS = os.sysconf("SC_CLK_TCK")
TEXT_SPEC = 'name = "texts"\nmodality = "text"\n[source]\nkind = "table"\npath = "texts.csv"\n'
IMAGE_SPEC = 'name = "images"\nmodality = "image"\n[source]\nkind = "folder"\npath = "{}"\n'
SUBJECTS = ["card", "loan", "transfer", "refund", "account", "statement"]
EVENTS = ["lost", "blocked", "delayed", "declined", "charged twice", "missing", "frozen", "expired", "late", "wrong"]

Cost = dict[str, float]


def environment(server: str = "") -> dict[str, str]:
    """This process's, with the checkout on Python's path, and one Prefect server or none."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    return kept | {"PYTHONPATH": str(ROOT)} | ({"PREFECT_API_URL": server} if server else {})


def cost(command: list[str], server: str = "") -> Cost:
    """Processor and wall seconds of a command that runs to its end."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment(server), capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"processor": processor, "wall": time.perf_counter() - started}


def best(rounds: int, measured: Callable[[], Cost]) -> Cost:
    """The least of each figure."""
    found = [measured() for _ in range(rounds)]
    return {name: round(min(one[name] for one in found), 2) for name in found[0]}


@contextlib.contextmanager
def explorer(home: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """`assay explore`, answering; the process and what it wrote so far."""
    command = [sys.executable, *options, "-m", "assay", "explore", "texts", "--no-browser", "--home", str(home)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True)
    try:
        said = []
        for line in server.stderr or ():
            said.append(line)
            if found := re.search(r"http://\S+", line):
                wait_for(found[0])
                break
        yield server, said
    finally:
        server.terminate()
        server.wait()


def start_of_explorer(home: Path) -> Cost:
    """Seconds until the explorer answers."""
    started = time.perf_counter()
    with explorer(home) as (server, _):
        wall = time.perf_counter() - started
        fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return {"processor": (int(fields[11]) + int(fields[12])) / TICKS, "wall": wall}


def wait_for(address: str, seconds: float = 120.0) -> None:
    """Until something answers there, whatever it says."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(address)


def heavy(lines: list[str]) -> list[str]:
    """The heavy packages whose modules `-X importtime` told of; it names those, too, that could not be imported."""
    names = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
    loaded = {name.partition(".")[0] for name in names if "." in name}
    return [name for name in HEAVY if name in loaded]


def starts(home: Path, rounds: int) -> dict[str, dict[str, object]]:
    """The commands that a user waits for."""
    query = ["-m", "assay", "query", "texts", "select count(*) from samples", "--home", str(home)]
    commands = {"import assay": ["-c", "import assay"], "assay --help": ["-m", "assay", "--help"], "assay query": query}
    found: dict[str, dict[str, object]] = {}
    for name, words in commands.items():
        traced = subprocess.run(
            [sys.executable, "-X", "importtime", *words],
            cwd=ROOT, env=environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        found[name] = {
            **best(rounds, lambda words=words: cost([sys.executable, *words])),
            "loads": heavy(traced.stderr.splitlines()),
        }
    with explorer(home, "-X", "importtime") as (server, said):
        server.terminate()
        loads = heavy(said + (server.stderr.readlines() if server.stderr else []))
    found["assay explore"] = {**best(rounds, lambda: start_of_explorer(home)), "loads": loads}
    return found


def write_texts(folder: Path) -> Path:
    """60 short texts of six classes; the spec's path."""
    with open(folder / "texts.csv", "w", newline="", encoding="utf-8") as file:
        rows = [(f"my {subject} was {event} and I need some help", subject) for subject in SUBJECTS for event in EVENTS]
        csv.writer(file).writerows([("text", "label"), *rows])
    (folder / "texts.toml").write_text(TEXT_SPEC, encoding="utf-8")
    return folder / "texts.toml"


def night(spec: Path, home: Path, server: str = "") -> Cost:
    """One `assay run`."""
    return cost([sys.executable, "-m", "assay", "run", str(spec), "--home", str(home)], server)


@contextlib.contextmanager
def prefect_server(folder: Path) -> Iterator[str]:
    """A Prefect server for the block; its API's address."""
    port = 4297
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "flows/prefect_server.py"), "--port", str(port)],
        env=environment() | QUIET | {"PREFECT_HOME": str(folder)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(f"http://127.0.0.1:{port}/api/health")
        yield f"http://127.0.0.1:{port}/api"
    finally:
        process.terminate()
        process.wait()


def nights(images: Path, model: str, base: Path) -> dict[str, Cost]:
    """The first night of a folder of images, and unchanged ones, in processor seconds and by the clock."""
    spec, home = base / "images.toml", base / "images-home"
    embed = f'[embed]\nmodel = "local-dir:{Path(model).resolve()}"\n' if model else ""
    spec.write_text(IMAGE_SPEC.format(images.resolve()) + embed, encoding="utf-8")
    found = {"first": night(spec, home), "unchanged": best(2, lambda: night(spec, home))}
    with prefect_server(base / "prefect") as server:
        found["unchanged, PREFECT_API_URL set"] = best(2, lambda: night(spec, home, server))
        flow = [sys.executable, str(ROOT / "flows/quality_snapshot.py"), str(spec), str(home)]
        found["unchanged, the flow on that server"] = best(2, lambda: cost(flow, server))
    first = found["first"]["processor"]
    return {name: rounded(one) | {"share": round(one["processor"] / first, 4)} for name, one in found.items()}


def rounded(one: Cost) -> Cost:
    """To hundredths of a second."""
    return {name: round(value, 2) for name, value in one.items()}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--model", default="")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    figures: dict[str, object] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        spec = write_texts(base)
        homes = iter(range(chosen.rounds + 1))
        night(spec, base / "home")  # whatever is compiled once has been
        figures["starts"] = starts(base / "home", chosen.rounds)
        figures["a night of 60 texts"] = best(chosen.rounds, lambda: night(spec, base / f"home-{next(homes)}"))
        print(json.dumps(figures, indent=2), flush=True)
        if chosen.images:
            figures[f"nights, {'a model' if chosen.model else 'pca'}"] = nights(chosen.images, chosen.model, base)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
