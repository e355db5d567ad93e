"""Texts on Banking77: what each embedder that needs no weights is worth.

    python benchmarks/words.py FOLDER            # with train.csv and test.csv: columns text, category
    python benchmarks/words.py FOLDER lsa glove  # some of them

Each is fitted on all texts, without labels. Prints the accuracy on the test texts of a linear probe trained on the
training texts (its penalty chosen among these, in folds), that of a vote of the 10 nearest training texts, the texts
without a vector, and processor seconds of one thread for fitting and embedding.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl

from assay.contracts.spec import make_spec
from assay.embedders.base import FittedEmbedder
from assay.embedders.registry import make_embedder
from assay.metrics import probe
from assay.store.files import hash_text
from assay.store.workspace import Workspace

EMBEDDERS = {
    "lsa": {"kind": "lsa"},
    "bow tfidf": {"kind": "bow"},
    "bow counts": {"kind": "bow", "model": "counts"},
    "skipgram": {"kind": "word2vec"},
    "skipgram equal": {"kind": "word2vec", "word_weights": "equal"},
    "cbow": {"kind": "word2vec", "model": "cbow"},
    "cbow equal": {"kind": "word2vec", "model": "cbow", "word_weights": "equal"},
    "fasttext": {"kind": "fasttext"},
    "glove": {"kind": "glove"},
    "glove equal": {"kind": "glove", "word_weights": "equal"},
}
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


def main(folder: Path, chosen: list[str]) -> None:
    """Print a line for each embedder."""
    train, test = (pl.read_csv(folder / f"{name}.csv") for name in ("train", "test"))
    texts = [*train["text"], *test["text"]]
    _, codes = np.unique([*train["category"], *test["category"]], return_inverse=True)
    print(f"{'embedder':16} probe  neighbours  no vector  dimensions  seconds")
    for name in chosen or EMBEDDERS:
        started = time.process_time()
        vectors = embedded(texts, EMBEDDERS[name])
        seconds = time.process_time() - started
        empty = int((~vectors.any(axis=1)).sum())
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        probed, voted = probe_accuracy(vectors, codes, len(train)), vote_accuracy(vectors, codes, len(train))
        print(f"{name:16} {probed:.3f}  {voted:.3f}       {empty:9}  {vectors.shape[1]:10}  {seconds:7.1f}", flush=True)


def embedded(texts: list[str], section: dict[str, str]) -> np.ndarray:
    """(n, d) float32 of the texts, from an embedder fitted on them."""
    with tempfile.TemporaryDirectory() as home:
        source = {"kind": "table", "path": "unused.csv"}
        spec = make_spec({"name": "b", "modality": "text", "source": source, "embed": section}, base=Path(home))
        hashes = pl.Series("content_hash", [hash_text(text) for text in texts])
        embedder = make_embedder(spec, Workspace(Path(home), "b"), hashes)
        assert isinstance(embedder, FittedEmbedder)
        embedder.fit([embedder.prepare(text) for text in texts])
        return embedder.encode(texts)


def probe_accuracy(vectors: np.ndarray, codes: np.ndarray, n_train: int) -> float:
    """On the rows from `n_train` on, of the project's own probe."""
    features = probe.principal_axes(vectors)
    rows, n_classes = np.arange(n_train), int(codes.max()) + 1
    folds = probe.stratified_folds(codes[:n_train], 5, 0)
    inner = probe.Problem(features[:n_train], rows, codes[:n_train], np.ones(n_train), folds, n_classes, 5)
    penalty = probe.choose_penalty(inner, PENALTIES)
    fold = np.where(np.arange(len(codes)) < n_train, -1, 0)
    outer = probe.Problem(features, rows, codes[:n_train], np.ones(n_train), fold, n_classes, 1)
    found = probe.out_of_fold(outer, penalty)[n_train:].argmax(axis=1)
    return float((found == codes[n_train:]).mean())


def vote_accuracy(vectors: np.ndarray, codes: np.ndarray, n_train: int, k: int = 10) -> float:
    """Of the votes of the nearest training rows, each weighted by its cosine."""
    near = vectors[n_train:] @ vectors[:n_train].T
    nearest = np.argpartition(-near, k, axis=1)[:, :k]
    votes = np.zeros((len(near), int(codes.max()) + 1))
    np.add.at(votes, (np.arange(len(near))[:, None], codes[nearest]), np.take_along_axis(near, nearest, axis=1))
    return float((votes.argmax(axis=1) == codes[n_train:]).mean())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
