"""Label issues of real datasets as they come, each judged by a person's eyes, beside cleanlab's on the same vectors.

    python benchmarks/detection/by_eye.py caltech101|banking77 [--peer-python VENV/bin/python] [--sheets FOLDER]

Caltech-101 with its background class in vectors of MobileNet, Banking77 in those of MiniLM; nothing is planted.
`caltech101_labels_seen.csv` and `banking77_labels_seen.csv` hold what was seen of the 48 most suspicious samples of
each tool: `wrong` (the label does not say what is there), `right`, or `doubtful` (two
labels fit, or it cannot be told). A doubtful one counts as half.

Prints precision among the 48 most suspicious and among all that are flagged, and how many of those nobody has seen.
`--sheets` draws what is left to be seen, with the given and the suggested label.
"""

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from graph import exact_corpus
from label_issues import ours
from vectors import SHARED, load

HERE = Path(__file__).parent
SHOWN = 48
WORTH = {"wrong": 1.0, "doubtful": 0.5, "right": 0.0}


def caltech101() -> tuple[np.ndarray, list[str], list[str]]:
    """`(vectors, labels, names)`: all classes, the background last; a name is CLASS/FILE."""
    known, labels = load("caltech101")
    junk = load("background")[0]
    with tarfile.open(SHARED / "data/caltech101.tar") as archive:
        files = sorted(m.name for m in archive.getmembers() if m.isfile() and m.name.lower().endswith(".jpg"))
    short = ["/".join(Path(name).parts[-2:]) for name in files]
    names = [n for n in short if not n.startswith("BACKGROUND")] + [n for n in short if n.startswith("BACKGROUND")]
    return np.r_[known, junk], [*labels.tolist(), *["BACKGROUND_Google"] * len(junk)], names


def banking77() -> tuple[np.ndarray, list[str], list[str]]:
    """Both splits; a name is SPLIT:ROW."""
    vectors, labels = load("banking77")
    return vectors, labels.tolist(), list(queries())


def queries() -> dict[str, str]:
    """Banking77's texts by name, in the order of the vectors."""
    frames = {split: pl.read_csv(SHARED / f"data/banking77/{split}.csv")["text"] for split in ("train", "test")}
    return {f"{split}:{row}": text for split, texts in frames.items() for row, text in enumerate(texts)}


def peer(python: str, labels: np.ndarray, vectors: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    """What cleanlab makes of the same probe."""
    with tempfile.TemporaryDirectory() as folder:
        given, answer = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, labels=labels, features=vectors, probabilities=probabilities)
        subprocess.run([python, HERE / "peer_cleanlab.py", given, answer], check=True)
        with np.load(answer) as stored:
            return {name: stored[name] for name in stored.files}


def precision(chosen: np.ndarray, names: list[str], seen: dict[str, str]) -> str:
    """`0.52 of 48 (3 not looked at)`."""
    verdicts = [seen.get(names[row]) for row in chosen]
    known = [WORTH[verdict] for verdict in verdicts if verdict]
    unseen = len(verdicts) - len(known)
    share = f"{np.mean(known):.2f}" if known else "-"
    return f"{share} of {len(verdicts)}" + (f" ({unseen} not looked at)" if unseen else "")


def main() -> None:
    """Print the table of one dataset; draw what is left to be seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", choices=["caltech101", "banking77"])
    parser.add_argument("--peer-python")
    parser.add_argument("--sheets", type=Path)
    chosen = parser.parse_args()
    vectors, labels, names = {"caltech101": caltech101, "banking77": banking77}[chosen.dataset]()
    classes, codes = np.unique(labels, return_inverse=True)
    found, probabilities, _ = ours(exact_corpus(vectors), codes, len(classes))
    ranked = {"assay": np.argsort(-found.score, kind="stable")}
    flagged = {"assay": found.is_issue}
    if chosen.peer_python:
        theirs = peer(chosen.peer_python, codes, vectors, probabilities)
        ranked["cleanlab, same probe"] = np.argsort(-theirs["probed_score"], kind="stable")
        flagged["cleanlab, same probe"] = theirs["probed_flag"].astype(bool)
    path = HERE / f"{chosen.dataset}_labels_seen.csv"
    table = pl.read_csv(path) if path.exists() else pl.DataFrame(schema={"name": pl.String, "verdict": pl.String})
    seen = dict(table.select("name", "verdict").rows())
    count = int(found.is_issue.sum())
    for name, order in ranked.items():
        mine = np.flatnonzero(flagged[name])
        print(
            f"{name}: {SHOWN} most suspicious {precision(order[:SHOWN], names, seen)}; {count} most suspicious, as "
            f"many as assay flags, {precision(order[:count], names, seen)}; flagged {precision(mine, names, seen)}"
        )
    if chosen.sheets:
        rows = sorted({int(row) for order in ranked.values() for row in order[: max(SHOWN, count)]})
        left = [row for row in rows if names[row] not in seen]
        draw(chosen.dataset, [(names[row], labels[row], str(classes[found.suggested[row]])) for row in left], chosen)


def draw(dataset: str, rows: list[tuple[str, str, str]], chosen: Any) -> None:
    """Contact sheets of 30 pictures, or a file of texts, numbered, in `--sheets`."""
    chosen.sheets.mkdir(parents=True, exist_ok=True)
    if dataset == "banking77":
        texts = queries()
        lines = [f"{name}\t{given}\t{other}\t{texts[name]}" for name, given, other in rows]
        (chosen.sheets / "banking77.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return
    from PIL import Image, ImageDraw

    with tarfile.open(SHARED / "data/caltech101.tar") as archive:
        members = {"/".join(Path(m.name).parts[-2:]): m for m in archive.getmembers() if m.isfile()}
        for start in range(0, len(rows), 30):
            sheet = Image.new("RGB", (6 * 230, 5 * 250), "white")
            pen = ImageDraw.Draw(sheet)
            for place, (name, given, other) in enumerate(rows[start : start + 30]):
                x, y = place % 6 * 230, place // 6 * 250
                file = archive.extractfile(members[name])
                assert file is not None
                picture = Image.open(io.BytesIO(file.read())).convert("RGB")
                picture.thumbnail((220, 200))
                sheet.paste(picture, (x + 5, y + 38))
                pen.text((x + 5, y + 2), f"{start + place} {name[-24:]}", fill="black")
                pen.text((x + 5, y + 14), given, fill="blue")
                pen.text((x + 5, y + 25), f"-> {other}", fill="red")
            sheet.save(chosen.sheets / f"caltech101-{start // 30:02d}.png")
    lines = [f"{place}\t{name}\t{given}\t{other}" for place, (name, given, other) in enumerate(rows)]
    (chosen.sheets / "caltech101.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
