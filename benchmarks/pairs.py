"""Swapped captions: average precision without weights, on digits and, given a folder of classes, on its pictures; and
by the two towers of a small model that was taught on digits.

    python benchmarks/pairs.py [FOLDER] [--model local-dir:PATH] [--classes 20] [--towers | --sounds]

Captions are sentences about the class, 5% of them another class's. Digits have vectors by `pca`; a folder's pictures by
the model where one is given, else by `pca` as well. `--towers`: the model of `tests/modalities/two_towers.py`, which is
made first (200 steps on right captions) and judges by its own similarities. `--sounds`: the made words of the example.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

from assay.contracts.spec import make_spec
from assay.embedders.registry import make_embedder
from assay.modalities.audio.words import word_samples
from assay.modalities.image.digits import digit_samples
from assay.modalities.pairs import captions
from assay.modalities.pairs.example import NAMES, RECORDINGS, SAYS, SAYS_OF_SOUNDS
from assay.store.files import hash_bytes
from assay.store.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.modalities.two_towers import write_two_towers


def read(folder: Path | None, n_classes: int) -> tuple[list[bytes], list[str]]:
    """Pictures and the words for them."""
    if folder is None:
        samples = digit_samples(0)
        return [sample.content for sample in samples], [NAMES[int(sample.label or 0)] for sample in samples]
    classes = sorted((p for p in folder.iterdir() if p.is_dir() and "BACKGROUND" not in p.name), key=lambda p: p.name)
    chosen = classes[:: max(1, len(classes) // n_classes)][:n_classes]
    files = [(file, one.name) for one in chosen for file in sorted(one.iterdir())[:100]]
    return [file.read_bytes() for file, _ in files], [name.replace("_", " ") for _, name in files]


def words_of(model: str, names: list[str]) -> dict[str, np.ndarray]:
    """The vector of every sentence about every class, by the text tower."""
    texts = [say.format(name) for say in SAYS for name in names]
    values = {"name": "x", "modality": "pairs", "source": {"kind": "table", "path": "x.csv"}, "embed": {"model": model}}
    with tempfile.TemporaryDirectory() as home:
        tower = make_embedder(make_spec(values, Path(), "benchmark"), Workspace(Path(home), "x"), tower="text")
        return dict(zip(texts, captions.unit_length(tower.encode(texts)), strict=True))


def embed(contents: list[bytes], model: str, modality: str = "pairs") -> np.ndarray:
    """(n, d) of length 1."""
    with tempfile.TemporaryDirectory() as home:
        values = {"name": "x", "modality": modality, "source": {"kind": "table", "path": "x.csv"}}
        values["embed"] = {"model": model} if model else {}
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
    parser.add_argument("--towers", action="store_true")
    parser.add_argument("--sounds", action="store_true")
    asked = parser.parse_args()
    contents, names = read(asked.folder, asked.classes)
    says = SAYS
    if asked.sounds:
        samples, says = word_samples(0, RECORDINGS), SAYS_OF_SOUNDS
        contents, names = [sample.content for sample in samples], [str(sample.label) for sample in samples]
    with tempfile.TemporaryDirectory() as made:
        model = f"local-dir:{write_two_towers(Path(made) / 'model', 200)}" if asked.towers else asked.model
        vectors = embed(contents, model, "audio_pairs" if asked.sounds else "pairs")
        tower = words_of(model, sorted(set(names))) if asked.towers else {}
    fold = captions.folds_of(pl.Series([hash_bytes(content) for content in contents]), 5)
    others = sorted(set(names))
    for seed in range(3):
        rng = np.random.default_rng(seed)
        wrong = np.zeros(len(names), dtype=bool)
        wrong[rng.permutation(len(names))[: round(0.05 * len(names))]] = True
        told = [rng.choice([o for o in others if o != n]) if w else n for n, w in zip(names, wrong, strict=True)]
        texts = [says[int(rng.integers(len(says)))].format(name) for name in told]
        started = time.process_time()
        if tower:
            likely, _ = captions.wrong_captions(vectors, np.stack([tower[text] for text in texts]), texts, 0)
        else:
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
