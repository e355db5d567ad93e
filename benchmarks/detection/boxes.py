"""Swapped classes, bad places and missing boxes from a detector's predictions, beside cleanlab's `object_detection`.

    python benchmarks/detection/boxes.py [PYTHON]

On the boxes of the bundled example a detector is made up: it misses 8% of the objects, confuses 8% of the classes (then
less sure of itself), is off by some percent of a box's size, and sees one thing in ten pictures that is not there. Of
the given boxes 5% get another class, 3% another place, and 3% are taken away. PYTHON: of an environment with cleanlab.
A box that is missing is looked for by picture.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score

from assay.modalities.objects.example import HEIGHT, WIDTH, make_scenes
from assay.modalities.objects.predicted import METRICS, compare

PEER = """
import json, sys
import numpy as np
from cleanlab.object_detection import rank
found, high = json.load(open(sys.argv[1])), {"high_probability_threshold": float(sys.argv[2])}
labels = [{"bboxes": np.array(p["boxes"]), "labels": np.array(p["labels"]), "image_name": str(i)}
          for i, p in enumerate(found)]
told = [np.array([np.array([[*b, s] for b, c, s in p["told"] if c == k] or np.zeros((0, 5))).reshape(-1, 5)
        for k in range(10)] + [None], dtype=object)[:-1] for p in found]
given = {"labels": labels, "predictions": told}
scores = {
    "swapped_box": rank.compute_swap_box_scores(**given, **high),
    "badly_placed_box": rank.compute_badloc_box_scores(**given),
    "missing_box": rank.compute_overlooked_box_scores(**given, **high),
}
print(json.dumps({name: [np.asarray(one).tolist() for one in found] for name, found in scores.items()}))
"""


def made(seed: int) -> list[dict]:
    """Pictures with given boxes, what is wrong with each, and what the detector says."""
    rng = np.random.default_rng(seed)
    by_file = defaultdict(list)
    for box in make_scenes(rng).boxes:
        by_file[box.file].append(box)
    pictures = []
    for boxes in by_file.values():
        one: dict = {"boxes": [], "labels": [], "kinds": [], "told": [], "lacks": False}
        for box in boxes:
            x, y, width, height = box.region[:4]
            corners, label = np.array([x, y, x + width, y + height]), int(box.label)
            scale = np.array([width, height] * 2)
            if rng.random() > 0.08:
                confused = rng.random() < 0.08
                name = int((label + rng.integers(1, 10)) % 10) if confused else label
                sure = float(np.clip(rng.normal(0.62 if confused else 0.85, 0.12), 0.05, 0.99))
                one["told"].append([(corners + scale * rng.normal(0, 0.05, 4)).tolist(), name, sure])
            kind = rng.choice(["", "swapped_box", "badly_placed_box", "gone"], p=[0.89, 0.05, 0.03, 0.03])
            if kind == "gone":
                one["lacks"] = True
                continue
            if kind == "badly_placed_box":
                corners = corners + np.tile(rng.choice([-0.5, 0.5], 2), 2) * scale
            one["boxes"].append(corners.tolist())
            one["labels"].append(int((label + rng.integers(1, 10)) % 10) if kind == "swapped_box" else label)
            one["kinds"].append(str(kind))
        if rng.random() < 0.1:
            x, y = rng.uniform(0, WIDTH - 40), rng.uniform(0, HEIGHT - 40)
            one["told"].append([[x, y, x + 40, y + 40], int(rng.integers(10)), float(rng.uniform(0.3, 0.7))])
        if one["boxes"] and one["told"]:
            pictures.append(one)
    return pictures


def ours(pictures: list[dict]) -> dict[str, list[list[float]]]:
    """Scores of each metric, of the boxes of each picture."""
    found: dict[str, list[list[float]]] = {name: [] for name in METRICS}
    for one in pictures:
        places, classes, sure = (np.array([t[i] for t in one["told"]]) for i in range(3))
        scores = compare(np.array(one["boxes"]), one["labels"], places, classes.tolist(), sure)
        for name, (score, _) in zip(METRICS, scores, strict=True):
            found[name].append(score)
    return found


def peers(pictures: list[dict], python: str, sure: float) -> dict[str, list[list[float]]]:
    """The same by cleanlab, turned so that 1 is bad; `sure`: from which probability on it looks at a prediction."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "pictures.json")
        place.write_text(json.dumps(pictures))
        done = subprocess.run([python, "-c", PEER, str(place), str(sure)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return {name: [[1 - s for s in one] for one in scores] for name, scores in found.items()}


def precision(pictures: list[dict], scores: dict[str, list[list[float]]]) -> str:
    """Average precision of each metric."""
    words = []
    for name in METRICS:
        if name == "missing_box":
            wrong = [one["lacks"] for one in pictures]
            flat = [max([s for s in one if s == s], default=0.0) for one in scores[name]]
        else:
            wrong = [kind == name for one in pictures for kind in one["kinds"]]
            flat = [0.0 if s != s else s for one in scores[name] for s in one]
        words.append(f"{name} {average_precision_score(wrong, flat):.3f}")
    return ", ".join(words)


def main() -> None:
    """Print a line a draw and method."""
    for seed in range(3):
        pictures = made(seed)
        n = sum(len(one["boxes"]) for one in pictures)
        print(f"seed {seed}, {n:,} boxes in {len(pictures)} pictures: assay {precision(pictures, ours(pictures))}")
        for sure in (0.95, 0.5) if len(sys.argv) > 1 else ():  # its default, and what fits this detector
            print(f"{'':22}cleanlab, from {sure} on {precision(pictures, peers(pictures, sys.argv[1], sure))}")


if __name__ == "__main__":
    main()
