"""Embedders that are fitted on the dataset, on datasets that are next to nothing."""

import importlib
import io

import numpy as np
import polars as pl
import pytest
import soundfile
from PIL import Image
from scipy import sparse

from assay.contracts.spec import make_spec
from assay.embedders.base import FittedEmbedder
from assay.embedders.graph import KINDS
from assay.embedders.registry import plan_embedder
from assay.store.files import hash_text
from tests.embedders.conftest import encoded, photo

TEXTS = {
    "one text": ["a cat"],
    "copies": ["a cat"] * 5,
    "nothing": ["", "  "],
    "signs": ["!!", "??"],
    "odd": ["", "a", "b c", "猫", "é\ud800x", "x" * 50_000, "\x00", "'; drop table x;--"],
    "no word twice": [f"word{row}" for row in range(150)],
}


def sound(*samples: float, rate: int = 8_000) -> bytes:
    """A wav of these samples."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.array(samples), rate, format="WAV")
    return buffer.getvalue()


PICTURES = {
    "a pixel": [encoded(Image.new("RGB", (1, 1)))],
    "copies": [encoded(Image.new("RGB", (30, 30), "red"))] * 4,
    "two": [encoded(photo(0)), encoded(photo(1))],
    "lines": [encoded(Image.new("L", (2_000, 1))), encoded(Image.new("L", (1, 2_000), "white"))],
}
SOUNDS = {
    "a sample": [sound(0.0)],
    "silence": [sound(*np.zeros(9_000))] * 3,
    "lengths": [sound(*np.sin(np.arange(n))) for n in (1, 2, 100, 20_000)],
    "rates": [sound(*np.sin(np.arange(3_000)), rate=rate) for rate in (1_000, 8_000, 48_000, 192_000)],
}
KINDS_OF = {
    "text": ("lsa", "bow", "bow=counts", "glove", "word2vec", "word2vec=cbow", "fasttext"),
    "image": ("pca", "autoencoder"),
    "audio": ("logmel",),
}
SLOW = ("word2vec", "word2vec=cbow", "fasttext")  # to learn
CASES = [
    (modality, kind, name)
    for modality, sets in (("text", TEXTS), ("image", PICTURES), ("audio", SOUNDS))
    for kind in KINDS_OF[modality]
    for name in sets
    if kind not in SLOW or name in ("nothing", "odd")
]


@pytest.mark.parametrize(("modality", "kind", "name"), CASES)
def test_a_dataset_that_is_next_to_nothing_has_vectors(tmp_path, workspace, modality, kind, name):
    """As many as items, finite; an item by itself has the same one."""
    items = {"text": TEXTS, "image": PICTURES, "audio": SOUNDS}[modality][name]
    kind, _, model = kind.partition("=")
    if kind in ("word2vec", "fasttext"):
        pytest.importorskip("gensim")
    section = {"kind": kind, "model": model, "device": "cpu"}
    source = {"kind": "table", "path": "t.csv"} if modality == "text" else {"kind": "folder", "path": "t"}
    spec = make_spec({"name": "t", "modality": modality, "source": source, "embed": section}, tmp_path)
    hashes = pl.Series("content_hash", [hash_text(str(row)) for row in range(len(items))])
    embedder = plan_embedder(spec, workspace, hashes).build()
    assert isinstance(embedder, FittedEmbedder)
    embedder.fit([embedder.prepare(item) for item in items])
    vectors = embedder.encode(items)
    assert vectors.shape == (len(items), embedder.dimensions) and vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert embedder.encode(items[-1:])[0] == pytest.approx(vectors[-1], rel=1e-4, abs=1e-4)


def test_a_text_of_unknown_words_has_no_direction(tmp_path, workspace):
    """Zero, and not NaN: it is refused later, and told as such."""
    spec = make_spec(
        {"name": "t", "modality": "text", "source": {"kind": "table", "path": "t.csv"}, "embed": {"kind": "glove"}},
        tmp_path,
    )
    embedder = plan_embedder(spec, workspace, pl.Series("content_hash", [hash_text("a")])).build()
    embedder.fit([embedder.prepare(text) for text in ("a cat sat", "a dog ran")])
    assert not embedder.encode(["something never seen", "", "!!"]).any() and embedder.encode(["a cat"]).any()


def tied(n: int, *edges: tuple[int, int]) -> sparse.csr_matrix:
    """The adjacency of a graph."""
    matrix = np.zeros((n, n), dtype=np.float32)
    for one, other in edges:
        matrix[one, other] = matrix[other, one] = 1
    found = sparse.csr_matrix(matrix)
    found.sort_indices()
    return found


GRAPHS = {
    "an edge": tied(2, (0, 1)),
    "a path": tied(3, (0, 1), (1, 2)),
    "a star": tied(6, *((0, leaf) for leaf in range(1, 6))),
    "two edges": tied(4, (0, 1), (2, 3)),
    "all tied": tied(4, *((one, other) for one in range(4) for other in range(one))),
    "two sides": tied(5, (0, 2), (0, 3), (1, 3), (1, 4)),
}


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("name", KINDS)
def test_the_smallest_graphs_have_vectors(name, graph):
    """A row a node, finite; fewer numbers than were asked for where the graph has no more."""
    kind, adjacency = KINDS[name], GRAPHS[graph]
    if kind.needs:
        pytest.importorskip(kind.needs[0])
    n = adjacency.shape[0]
    module, _, attribute = kind.place.partition(":")
    further = [sparse.csr_matrix(np.eye(n, 3, dtype=np.float32))] if kind.features else []
    further += [np.arange(n) < n // 2] if kind.sides else []
    options = {"model": kind.models[0]} if kind.models else {}
    for dimension in (1, kind.dimension):
        make = getattr(importlib.import_module(module), attribute)
        vectors = make(adjacency, *further, dimension=dimension, seed=0, **options)
        assert len(vectors) == n and 1 <= vectors.shape[1] <= dimension and np.isfinite(vectors).all()
