"""How fast a source is read: seconds of the ingest stage on many small files and on one long table.

    python benchmarks/source_speed.py [--files 20000] [--rows 500000] [--rounds 3]

Each round is a fresh home. `folder`: files of some 200 bytes in 20 class folders, read for the first time, and then
again unchanged (listed, not opened). `table`: a CSV of a text, a label, a split and two group columns, one cell in
five quoted, read for the first time. Told are the seconds of processor time, of all threads, the least of the rounds:
what the work takes whatever else runs.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from assay.contracts.spec import make_spec
from assay.sources.ingest import ingest
from assay.store.workspace import Workspace


def make_files(folder: Path, n: int) -> None:
    """`n` small files named like pictures, in 20 folders."""
    rng = random.Random(1)
    for number in range(n):
        place = folder / f"class_{number % 20:02d}" / f"{number:06d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(rng.randbytes(200))


def make_table(path: Path, n: int) -> None:
    """`n` rows of CSV."""
    rng = random.Random(2)
    words = [f"word{number}" for number in range(2000)]
    with path.open("w", encoding="utf-8") as out:
        out.write("sample_id,text,label,split,source,length\n")
        for number in range(n):
            text = " ".join(rng.choices(words, k=12))
            text = f'"{text}, and more"' if number % 5 == 0 else text
            out.write(f"s{number},{text},c{number % 30},{'test' if number % 5 == 0 else 'train'},web,{number % 900}\n")


def seconds(spec, home: Path) -> float:
    """Processor seconds of one ingest."""
    started = time.process_time()
    getattr(ingest, "fn", ingest)(spec, Workspace(home, "speed"))
    return time.process_time() - started


def main() -> None:
    """Make the data, time each reading, print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[str, list[float]] = {"folder_new": [], "folder_again": [], "table": []}
    with tempfile.TemporaryDirectory() as place:
        data = Path(place)
        make_files(data / "files", arguments.files)
        make_table(data / "rows.csv", arguments.rows)
        folder = {"name": "speed", "modality": "image", "source": {"kind": "folder", "path": "files"}}
        table = {"name": "speed", "modality": "text", "source": {"kind": "table", "path": "rows.csv"}}
        for number in range(arguments.rounds):
            home = data / f"home{number}"
            found["folder_new"].append(seconds(make_spec(folder, base=data), home))
            found["folder_again"].append(seconds(make_spec(folder, base=data), home))
            found["table"].append(seconds(make_spec(table, base=data), data / f"table{number}"))
    least = {name: round(min(times), 2) for name, times in found.items()}
    print(json.dumps({"files": arguments.files, "rows": arguments.rows, "seconds": least}))


if __name__ == "__main__":
    main()
