"""What the embedders of graphs are worth, on Cora, Karate and a made graph of 100,000 nodes.

    python benchmarks/graph.py embedders [--data FOLDER]   # Cora: probe of 5 folds, vote of 10 neighbours, seconds
    python benchmarks/graph.py labels [--data FOLDER]      # Cora, wrong labels planted: average precision
    python benchmarks/graph.py karate                      # leave one out, of 34; needs networkx
    python benchmarks/graph.py size [--nodes 100000 --edges 400000]
    python benchmarks/graph.py facts [--nodes 100000 --edges 400000]

FOLDER has `nodes.csv` (node_id, label), `edges.csv` (source, target) and `features.npz`, as `assay sandbox
cora` writes. Seed 0 throughout; wrong labels are drawn by the seeds 0, 1 and 2, any other class alike. Seconds are of
the processor, of one thread with OMP_NUM_THREADS=1.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import polars as pl
from scipy import sparse
from sklearn.metrics import average_precision_score

from assay.embedders.deepwalk import deepwalk
from assay.embedders.fastrp import fastrp
from assay.embedders.netmf import netmf
from assay.embedders.node2vec import node2vec
from assay.embedders.prone import prone
from assay.embedders.sgc import sgc
from assay.embedders.spectral import spectral
from assay.metrics import probe
from assay.metrics.corpus import Corpus, cases_frame
from assay.metrics.labels.beliefs import believe
from assay.metrics.labels.confident import find
from assay.modalities.graph.adjacency import Ends, adjacency_of
from assay.modalities.graph.facts import Graph, measure

TEMPERATURE = 0.07  # of the vote, as the metrics stage has it


def read(folder):
    """`(adjacency, features, labels)` of a graph as `assay sandbox` writes it; rows of features go with the nodes."""
    nodes = pl.read_csv(folder / "nodes.csv", infer_schema_length=0)
    edges = pl.read_csv(folder / "edges.csv", infer_schema_length=0)
    row = {name: i for i, name in enumerate(nodes["node_id"])}
    ends = [np.array([row[name] for name in edges[side]], dtype=np.int64) for side in ("source", "target")]
    adjacency = adjacency_of(Ends(*ends, np.ones(len(edges), dtype=np.int64)), len(nodes))
    features = sparse.load_npz(folder / "features.npz").tocsr().astype(np.float32)
    return adjacency, features, np.unique(nodes["label"].to_numpy(), return_inverse=True)[1]


def corpus_of(vectors, labels, k=50):
    """The inputs of the label model, with exact neighbours."""
    n = len(vectors)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -2)
    near = np.argsort(-likeness, axis=1)[:, :k].astype(np.int32)
    rows = {"sample_id": [str(i) for i in range(n)], "position": np.arange(n), "label": [str(code) for code in labels]}
    samples = pl.DataFrame(rows | {"content_hash": [f"{i:032x}" for i in range(n)]})
    return Corpus(
        samples=samples, unit=np.arange(n, dtype=np.int32), unit_ids=samples["sample_id"], vectors=vectors,
        neighbors=near, similarities=np.take_along_axis(likeness, near, 1), embedder="x", n_unusable=0,
    )  # fmt: skip


def accuracies(vectors, labels):
    """Of the project's probe in 5 folds, and of a vote of 10 neighbours."""
    n, n_classes = len(vectors), int(labels.max()) + 1
    fold = probe.stratified_folds(labels, 5, 0)
    axes = probe.principal_axes(vectors)
    problem = probe.Problem(axes, np.arange(n), labels, np.ones(n), fold, n_classes, 5)
    logits = probe.out_of_fold(problem, probe.choose_penalty(problem))
    return float((logits.argmax(axis=1) == labels).mean()), voted(vectors, labels, 10)


def voted(vectors, labels, k):
    """Accuracy of the vote of `k` neighbours, each node left out of its own."""
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -2)
    near = np.argsort(-likeness, axis=1)[:, :k]
    weight = np.exp((np.take_along_axis(likeness, near, 1) - 1) / TEMPERATURE)
    votes = np.stack([np.bincount(labels[row], w, labels.max() + 1) for row, w in zip(near, weight, strict=True)])
    return float((votes.argmax(axis=1) == labels).mean())


def edge_embedders():
    """Those that look at edges alone, by name."""
    return {
        "fastrp": fastrp, "prone": prone, "spectral": spectral, "netmf": netmf, "deepwalk": deepwalk,
        "node2vec": node2vec, "node2vec, cbow": lambda *args: node2vec(*args, model="cbow"),
    }  # fmt: skip


def embedders(asked):
    """A line an embedder on Cora."""
    adjacency, features, labels = read(asked.data)
    makes = {name: lambda make=make: make(adjacency) for name, make in edge_embedders().items()}
    for name, make in {"sgc": lambda: sgc(adjacency, features), **makes}.items():
        started = time.process_time()
        vectors = make()
        took = time.process_time() - started
        probed, near = accuracies(vectors, labels)
        print(f"{name:16} {vectors.shape[1]:4}-d  probe {probed:.3f}  neighbours {near:.3f}  {took:5.1f} s", flush=True)


def labels(asked):
    """A line for each rate and embedder: assay's own score, and the probe and the vote it is made of."""
    adjacency, features, true = read(asked.data)
    n_classes = int(true.max()) + 1
    for rate in (0.1, 0.2):
        for name, vectors in (("sgc", sgc(adjacency, features)), ("prone", prone(adjacency))):
            found = []
            for seed in range(3):
                rng = np.random.default_rng(seed)
                given, wrong = true.copy(), rng.permutation(len(true))[: round(rate * len(true))]
                given[wrong] = (given[wrong] + rng.integers(1, n_classes, len(wrong))) % n_classes
                corpus = corpus_of(vectors, given)
                beliefs = believe(corpus, cases_frame(corpus, given), n_classes, 5, 0)
                hit = (given != true)[beliefs.unit]
                scores = (find(beliefs).score, *(1 - beliefs.of_given(v) for v in (beliefs.probe, beliefs.vote)))
                found.append([average_precision_score(hit, score) for score in scores])
            own, probed, vote = np.mean(found, axis=0)
            print(
                f"{rate:.0%} {name:6} assay's score {own:.3f}  probe alone {probed:.3f}  vote alone {vote:.3f}",
                flush=True,
            )


def karate(_):
    """How many of 34 a vote of 3 neighbours gets right, each left out, in 16 dimensions."""
    import networkx

    club = networkx.karate_club_graph()
    ends = np.array(list(club.edges), dtype=np.int64).T
    adjacency = adjacency_of(Ends(ends[0], ends[1], np.ones(ends.shape[1], dtype=np.int64)), 34)
    sides = np.array([int(club.nodes[node]["club"] != "Mr. Hi") for node in club])
    for name, make in edge_embedders().items():
        right = [round(34 * voted(make(adjacency, d), sides, k)) for d in (8, 16) for k in (3, 5)]
        print(f"{name:16} of 34: 8-d {right[0]} (3 neighbours), {right[1]} (5); 16-d {right[2]} (3), {right[3]} (5)")


def made(asked):
    """A random graph whose nodes are tied as a power of their rank: a few hubs, many with little."""
    rng = np.random.default_rng(0)
    chance = 1 / np.arange(1, asked.nodes + 1) ** 0.6
    ends = rng.choice(asked.nodes, (2, asked.edges), p=chance / chance.sum())
    return Ends(ends[0], ends[1], np.ones(asked.edges, dtype=np.int64))


def size(asked):
    """Seconds of those that take large graphs; sgc on 200 random features of which a node has 10."""
    adjacency = adjacency_of(made(asked), asked.nodes)
    rng = np.random.default_rng(1)
    places = rng.integers(200, size=10 * asked.nodes), np.arange(asked.nodes + 1) * 10
    features = sparse.csr_matrix((np.ones(10 * asked.nodes, np.float32), *places), shape=(asked.nodes, 200))
    features.sum_duplicates()
    runs = {"fastrp, 128": lambda: fastrp(adjacency), "prone, 64": lambda: prone(adjacency, 64),
            "prone, 128": lambda: prone(adjacency), "sgc, 128": lambda: sgc(adjacency, features, 128)}  # fmt: skip
    print(f"{asked.nodes:,} nodes, {adjacency.nnz // 2:,} pairs tied")
    for name, make in runs.items():
        started = time.process_time()
        make()
        print(f"{name:12} {time.process_time() - started:5.1f} s", flush=True)


def facts(asked):
    """Seconds of the facts of every node, and of a picture."""
    from assay.modalities.graph.drawing import Neighbourhoods

    ends = made(asked)
    adjacency = adjacency_of(ends, asked.nodes)
    ids = pl.Series([str(i) for i in range(asked.nodes)])
    label = np.random.default_rng(2).integers(7, size=asked.nodes)
    started = time.process_time()
    measure(Graph(ids, ends, adjacency, label, np.full(asked.edges, np.nan)))
    print(f"facts of {asked.nodes:,} nodes: {time.process_time() - started:.1f} s")
    drawn, started = Neighbourhoods(adjacency, label), time.process_time()
    for node in range(0, asked.nodes, max(1, asked.nodes // 1000)):
        drawn.draw(node)
    print(f"a picture: {time.process_time() - started:.2f} ms")  # of a thousand


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("embedders", "labels", "karate", "size", "facts"))
    parser.add_argument("--data", type=Path, default=Path("cora"))
    parser.add_argument("--nodes", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=400_000)
    asked = parser.parse_args()
    {"embedders": embedders, "labels": labels, "karate": karate, "size": size, "facts": facts}[asked.what](asked)


if __name__ == "__main__":
    main()
