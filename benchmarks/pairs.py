"""Swapped captions: average precision without weights, on digits and, given a folder of classes, on its pictures.

    python benchmarks/pairs.py [FOLDER] [--model local-dir:PATH] [--classes 20]

Captions are sentences about the class, 5% of them another class's. Digits have vectors by `pca`; a folder's pictures by
the model where one is given, else by `pca` as well.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

from assay.contracts.spec import make_spec
from assay.embedders.registry import make_embedder
from assay.modalities.image.digits import digit_samples
from assay.modalities.pairs import captions
from assay.modalities.pairs.example import NAMES, SAYS
from assay.store.files import hash_bytes
from assay.store.workspace import Workspace


def read(folder: Path | None, n_classes: int) -> tuple[list[bytes], list[str]]:
    """Pictures and the words for them."""
    if folder is None:
        samples = digit_samples(0)
        return [sample.content for sample in samples], [NAMES[int(sample.label or 0)] for sample in samples]
    classes = sorted((p for p in folder.iterdir() if p.is_dir() and "BACKGROUND" not in p.name), key=lambda p: p.name)
    chosen = classes[:: max(1, len(classes) // n_classes)][:n_classes]
    files = [(file, one.name) for one in chosen for file in sorted(one.iterdir())[:100]]
    return [file.read_bytes() for file, _ in files], [name.replace("_", " ") for _, name in files]


def embed(contents: list[bytes], model: str) -> np.ndarray:
    """(n, d) of length 1."""
    with tempfile.TemporaryDirectory() as home:
        values = {"name": "x", "modality": "pairs", "source": {"kind": "table", "path": "x.csv"}}
        values["embed"] = {"model": model} if model else {"kind": "pca"}
        hashes = pl.Series("content_hash", [hash_bytes(content) for content in contents])
        embedder = make_embedder(make_spec(values, Path(), "benchmark"), Workspace(Path(home), "x"), hashes)
        if not model:
            embedder.fit([embedder.prepare(content) for content in contents])
        return captions.unit_length(embedder.encode(contents))


def main() -> None:
    """Print a line a draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--model", default="")
    parser.add_argument("--classes", type=int, default=20)
    asked = parser.parse_args()
    contents, names = read(asked.folder, asked.classes)
    vectors = embed(contents, asked.model)
    fold = captions.folds_of(pl.Series([hash_bytes(content) for content in contents]), 5)
    others = sorted(set(names))
    for seed in range(3):
        rng = np.random.default_rng(seed)
        wrong = np.zeros(len(names), dtype=bool)
        wrong[rng.permutation(len(names))[: round(0.05 * len(names))]] = True
        told = [rng.choice([o for o in others if o != n]) if w else n for n, w in zip(names, wrong, strict=True)]
        texts = [SAYS[int(rng.integers(len(SAYS)))].format(name) for name in told]
        started = time.process_time()
        space = captions.caption_space(texts, 0)
        likely, _ = captions.wrong_captions(captions.told_captions(vectors, space, fold), space, texts, 0)
        flagged = likely >= 0.5
        print(
            f"seed {seed}: {len(names):,} pairs, AP {average_precision_score(wrong, likely):.3f}, "
            f"{flagged.sum()} flagged, {wrong[flagged].sum()} of {wrong.sum()} found, "
            f"{time.process_time() - started:.1f} processor seconds"
        )


if __name__ == "__main__":
    main()
