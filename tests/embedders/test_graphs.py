"""Embedders of whole graphs: what they learn, and how a graph that grows keeps its vectors comparable."""

import numpy as np
import polars as pl
import pytest
from scipy import sparse

from assay.contracts.spec import make_spec
from assay.embedders import walks
from assay.embedders.fastrp import fastrp
from assay.embedders.graph import aligned
from assay.embedders.netmf import netmf
from assay.embedders.sgc import propagate, sgc, weigh
from assay.embedders.spectral import leading, spectral
from assay.embedders.stage import embed
from assay.facts import clean
from assay.modalities.graph.adjacency import Ends, adjacency_of
from assay.sources.ingest import ingest
from assay.store.workspace import Workspace

SIZE = 40  # nodes of a block


def blocks(seed: int = 0, across: float = 0.02) -> list[tuple[int, int]]:
    """The edges of three blocks of nodes, dense within and sparse between."""
    rng = np.random.default_rng(seed)
    of = np.arange(3 * SIZE) // SIZE
    left, right = np.triu_indices(3 * SIZE, 1)
    kept = rng.random(len(left)) < np.where(of[left] == of[right], 0.3, across)
    return list(zip(left[kept].tolist(), right[kept].tolist(), strict=True))


def matrix(edges: list[tuple[int, int]], n: int = 3 * SIZE) -> sparse.csr_matrix:
    """Their adjacency."""
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    return adjacency_of(Ends(ends[0], ends[1], np.ones(ends.shape[1], dtype=np.int64)), n)


def found(vectors: np.ndarray) -> float:
    """Share of the nodes whose nearest neighbour is of their block."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -2)
    return float((likeness.argmax(axis=1) // SIZE == np.arange(len(vectors)) // SIZE).mean())


@pytest.mark.parametrize("make", [netmf, spectral, fastrp], ids=lambda make: make.__name__)
def test_nodes_of_a_block_lie_together(make):
    """The same by the same seed; rows of length 1, but for a node without an edge."""
    adjacency = matrix(blocks(), 3 * SIZE + 1)
    vectors = make(adjacency, 16, seed=1)
    assert found(vectors[:-1]) > 0.95 and not vectors[-1].any()
    assert np.allclose(np.linalg.norm(vectors[:-1], axis=1), 1, atol=1e-5)
    assert np.allclose(vectors, make(adjacency, 16, seed=1), atol=1e-6)


@pytest.mark.parametrize("make", ["deepwalk", "node2vec", "cbow"])
def test_walks_as_sentences_find_the_blocks(make):
    """Of gensim, with one worker: the same each time."""
    pytest.importorskip("gensim")
    from assay.embedders.deepwalk import deepwalk
    from assay.embedders.node2vec import node2vec

    adjacency = matrix(blocks())
    run = (lambda: deepwalk(adjacency, 16)) if make == "deepwalk" else lambda: node2vec(adjacency, 16, model=make)
    vectors = run()
    assert found(vectors) > 0.9 and (vectors == run()).all()


def test_the_eigenvectors_are_numpys():
    """Of the regularised matrix, written out."""
    adjacency = matrix(blocks())
    degree = np.asarray(adjacency.sum(axis=1)).reshape(-1)
    tau = degree.mean()
    scale = 1 / np.sqrt(degree + tau)
    whole = scale[:, None] * (adjacency.toarray() + tau / len(degree)) * scale
    assert np.allclose(leading(adjacency, 5, 0)[0], np.linalg.eigvalsh(whole)[::-1][:5], atol=1e-8)


def test_propagation_is_the_matrix_product():
    """S² X, written out; and features below 0 are standardised."""
    adjacency, x = matrix(blocks()), np.random.default_rng(0).normal(size=(3 * SIZE, 4)).astype(np.float32)
    looped = adjacency.toarray() + np.eye(3 * SIZE)
    scale = 1 / np.sqrt(looped.sum(axis=1))
    step = scale[:, None] * looped * scale
    assert np.allclose(propagate(adjacency, x), step @ step @ x, atol=1e-5)
    assert isinstance(weigh(sparse.csr_matrix(x)), np.ndarray)
    assert sgc(adjacency, sparse.csr_matrix(x), 3).shape == (3 * SIZE, 3)


def test_walks_go_along_edges_and_are_biased():
    """Every step is an edge; with a small p walks turn back, with a large one hardly ever."""
    adjacency = matrix(blocks())
    for drawn in (walks.uniform_walks(adjacency, 2, 10, 0), walks.biased_walks(adjacency, 2, 10, 0.25, 0.25, 0)):
        assert drawn.shape == (6 * SIZE, 10) and (adjacency[drawn[:, :-1].ravel(), drawn[:, 1:].ravel()] > 0).all()

    def turned(p: float) -> float:
        drawn = walks.biased_walks(adjacency, 3, 20, p, 1.0, 0)
        return float((drawn[:, 2:] == drawn[:, :-2]).mean())

    assert turned(0.05) > 0.4 > 0.05 > turned(100.0)


def test_a_turned_space_is_turned_back():
    """Vectors that are rotated come to lie where they were; the distance is told."""
    rng = np.random.default_rng(0)
    before = rng.normal(size=(50, 6)).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    names = pl.Series([f"{i:032x}" for i in range(50)])
    vectors, moved, common = aligned((before @ turn).astype(np.float32), names, before[:40], names[:40])
    assert np.allclose(vectors, before, atol=1e-4) and moved < 1e-6 and common == 40


@pytest.fixture
def night(tmp_path):
    """A function that embeds a graph of these edges: vectors by id, the checks, the fingerprint."""

    def run(edges, n):
        folder = tmp_path / "g"
        folder.mkdir(exist_ok=True)
        pl.DataFrame({"id": [f"n{i}" for i in range(n)]}).write_csv(folder / "nodes.csv")
        rows = [(f"n{a}", f"n{b}") for a, b in edges]
        pl.DataFrame(rows, schema=["source", "target"], orient="row").write_csv(folder / "edges.csv")
        values = {"name": "g", "modality": "graph", "source": {"kind": "folder", "path": "g"}}
        spec = make_spec(values | {"embed": {"dimensions": 16}}, tmp_path, "test")
        workspace = Workspace(tmp_path / "home", "g")
        cleaned = clean(spec, workspace, read := ingest(spec, workspace))
        output = embed(spec, workspace, read, cleaned)
        rows = cleaned.read("samples").join(output.read("vectors"), on="content_hash")
        checks = {row["check"]: row["value"] for row in output.read("embedding_health").to_dicts()}
        return dict(rows.select("sample_id", "vector").iter_rows()), checks, output.read("vectors")["embedder"][0]

    return run


def test_a_graph_that_grows_a_little_keeps_its_vectors(night):
    """A new node lies at the mean of its neighbours; one that only a new one ties comes after it; a lone one waits."""
    edges = blocks()
    first, checks, name = night(edges, 3 * SIZE)
    assert checks["basis_overlap"] == 1 and "basis_moved" not in checks
    n = 3 * SIZE
    grown, checks, same = night([*edges, (n, 0), (n, 1), (n + 1, n), (n + 2, n + 3)], n + 4)
    assert same == name and 0.98 < checks["basis_overlap"] < 1
    assert all(np.allclose(first[node], grown[node]) for node in first)
    mean = np.add(first["n0"], first["n1"])
    assert np.allclose(grown[f"n{n}"], mean / np.linalg.norm(mean), atol=1e-5)
    assert np.allclose(grown[f"n{n + 1}"], grown[f"n{n}"], atol=1e-5) and f"n{n + 2}" not in grown
    assert checks["nodes_placed"] == 2 and checks["nodes_unplaced"] == 2


def test_a_graph_that_changed_is_embedded_anew_and_turned(night):
    """Below an overlap of 0.8; the nodes of both stay near to where they were, and it is told how near."""
    edges = blocks()
    first, _, name = night(edges, 3 * SIZE)
    rng = np.random.default_rng(5)
    kept = [edges[i] for i in rng.permutation(len(edges))[: round(0.7 * len(edges))]]
    again, checks, other = night(kept, 3 * SIZE)
    assert other != name and checks["basis_overlap"] == 1 and 0 < checks["basis_moved"] < 0.5
    cosine = np.mean([np.dot(first[node], again[node]) for node in again])
    assert 1 - cosine == pytest.approx(checks["basis_moved"], abs=1e-3)
