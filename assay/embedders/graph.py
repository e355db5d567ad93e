"""Embedders that see a graph as a whole: which there are, and how a graph that grows keeps its vectors comparable.

A node's vector depends on every edge. So what an algorithm made of one night's graph, its basis, is kept and used again
while the edges of that night and tonight's overlap by 0.8 or more (Jaccard): a node that is new takes the mean of its
neighbours' vectors. Below, the graph is embedded anew, and turned so that the nodes of both lie as near as can be to
where they were (orthogonal Procrustes; Schönemann 1966); how far they moved all the same is published.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import orthogonal_procrustes

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import Spec
from assay.embedders.base import Check
from assay.embedders.basis import Basis, fingerprint_of, plan_basis, stored_bases
from assay.embedders.registry import Placed, Plan, embedder_kind
from assay.embedders.weights import package_installed
from assay.modalities.graph.adjacency import adjacency_of, read_ends, read_node_features
from assay.store.files import hash_text
from assay.store.tables import TableReader
from assay.store.workspace import Workspace

Matrix = NDArray[np.float32]
VERSION = 1
ROUNDS = 10  # in which new nodes that only new nodes are tied to get a place
MOVED = 0.5  # mean cosine distance after a refit, beyond which vectors of before say little of those of after


@dataclass(frozen=True)
class Kind:
    """One algorithm.

    Attributes:
        place: `module:function` of `(adjacency, dimension, seed)`, or `(adjacency, features, dimension, seed)`.
        dimension: numbers of a vector where the spec says nothing.
        features: it takes the nodes' features.
        sides: it takes `(adjacency, side, dimension, seed)`, of a graph between users and items.
        models: what `embed.model` may say; the first is the default.
        needs: module and package without which it does not work.
    """

    place: str
    dimension: int = 128
    features: bool = False
    sides: bool = False
    models: tuple[str, ...] = ()
    needs: tuple[str, str] | None = None


GENSIM = ("gensim", "gensim")
KINDS = {
    "sgc": Kind("assay.embedders.sgc:sgc", 256, features=True),
    "prone": Kind("assay.embedders.prone:prone"),
    "netmf": Kind("assay.embedders.netmf:netmf"),
    "spectral": Kind("assay.embedders.spectral:spectral"),
    "deepwalk": Kind("assay.embedders.deepwalk:deepwalk", needs=GENSIM),
    "node2vec": Kind("assay.embedders.node2vec:node2vec", models=("skipgram", "cbow"), needs=GENSIM),
    "fastrp": Kind("assay.embedders.fastrp:fastrp"),
    "als": Kind("assay.embedders.als:als", 32, sides=True),
    "svd": Kind("assay.embedders.pure_svd:pure_svd", 32, sides=True),
}
WITHOUT_FEATURES = "prone"  # what `auto` is where no node has any


@dataclass(frozen=True)
class Network:
    """Tonight's graph over the nodes `hashes`, with the ids of `ids`."""

    hashes: pl.Series
    ids: pl.Series
    adjacency: sparse.csr_matrix
    features: sparse.csr_matrix
    side: NDArray[np.bool_]  # (n,) where edges come from: of users and items, the users

    @property
    def tied(self) -> NDArray[np.bool_]:
        """(n,) which nodes have an edge to another."""
        return np.asarray(np.diff(self.adjacency.indptr) > 0)


def graph(spec: Spec, _workspace: Workspace, _hashes: pl.Series, _tower: str) -> Plan:
    """Raises `EmbedderError`: a node by itself has no vector; `of_tables` plans from all of them."""
    raise EmbedderError(f'embed.kind = "{embedder_kind(spec)}" embeds nodes by their graph, and nothing by itself')


def plan_graph(spec: Spec, workspace: Workspace, content_hashes: pl.Series, tables: TableReader) -> Plan:
    """An embedder of tonight's graph, on the stored basis whose edges overlap most, or on a new one.

    Raises:
        EmbedderError: a package is not installed, `embed.model` names none of the kind's, or there are no features.
    """
    network = read_network(tables, content_hashes)
    name = embedder_kind(spec)
    if spec.embed.kind == "auto" and not network.features.nnz:
        name = WITHOUT_FEATURES
    kind = KINDS[name]
    model = _check(spec, name, kind, network)
    algorithm = fingerprint_of(
        kind=name, dimensions=spec.embed.dimensions or kind.dimension, seed=spec.embed.seed, model=model,
        version=VERSION,
        storage=spec.embed.storage, library=version(kind.needs[1]) if kind.needs else "",
    )  # fmt: skip
    basis = plan_basis(workspace, algorithm, edge_hashes(network))
    alone = int((~network.tied).sum())
    checks: tuple[Check, ...] = (
        ("nodes_without_edges", float(alone), ">= 0", True, "nodes that no edge ties to another have no vector"),
    )

    def place(missing: pl.Series) -> Placed:
        if not basis.is_fitted:
            fit(spec, workspace, kind, model, basis, network, tables)
        return placed(basis.load(), network, missing)

    def build() -> Any:
        raise EmbedderError(f'embed.kind = "{name}" embeds a graph as a whole')

    return Plan(name, basis.fingerprint, build, basis.overlap, checks=checks, place=place, without=alone)


graph.of_tables = plan_graph  # type: ignore[attr-defined]


def _check(spec: Spec, name: str, kind: Kind, network: Network) -> str:
    """The model that the spec names, or the first. Raises `EmbedderError`."""
    if kind.needs and not package_installed(kind.needs[0]):
        raise EmbedderError(
            f'embed.kind = "{name}" needs the package {kind.needs[1]}, which is not installed: '
            'pip install "assay[words]"; or use "prone", which needs none'
        )
    if kind.features and not network.features.nnz:
        raise EmbedderError(
            f'embed.kind = "{name}" spreads the features of nodes, and none has any: give features.npz beside the '
            'nodes, or source.columns = { vector = "…" }; or use "prone", which needs none'
        )
    model = spec.embed.model or (kind.models[0] if kind.models else "")
    if model not in kind.models and (kind.models or model):
        there = f"are {', '.join(kind.models)}" if kind.models else "are none"
        raise EmbedderError(f'embed.model = "{model}" is not a variant of {name}; there {there}')
    return model


def read_network(tables: TableReader, content_hashes: pl.Series) -> Network:
    """The graph over some contents."""
    samples = tables.read("samples", ["sample_id", "content_hash", "position"]).sort("position")
    wanted = pl.DataFrame({"content_hash": content_hashes.unique(maintain_order=True)})
    first = samples.unique("content_hash", keep="first", maintain_order=True)
    ids = wanted.join(first, on="content_hash", how="left", maintain_order="left")["sample_id"]
    ends = read_ends(tables.read("edges"), ids)
    features, _ = read_node_features(tables, wanted["content_hash"])
    side = np.zeros(len(ids), dtype=bool)
    side[ends.source[ends.ties]] = True
    return Network(wanted["content_hash"], ids, adjacency_of(ends, len(ids)), features, side)


def edge_hashes(network: Network) -> pl.Series:
    """A hash of each pair of nodes that is tied, by their ids: what two nights' graphs are compared by."""
    above = sparse.triu(network.adjacency, k=1).tocoo()
    ids = network.ids.to_list()
    pairs = (sorted((ids[i], ids[j])) for i, j in zip(above.row, above.col, strict=True))
    return pl.Series("edge", [hash_text("\0".join(pair)) for pair in pairs], dtype=pl.String)


def fit(
    spec: Spec, workspace: Workspace, kind: Kind, model: str, basis: Basis, network: Network, tables: TableReader
) -> None:
    """Embed the graph, turn it towards the last basis of the algorithm, and store it.

    Raises:
        EmbedderError: the graph is too large for the algorithm.
    """
    module, _, attribute = kind.place.partition(":")
    make = cast(Callable[..., Matrix], getattr(importlib.import_module(module), attribute))
    tied = np.flatnonzero(network.tied)
    options: dict[str, Any] = {"dimension": spec.embed.dimensions or kind.dimension, "seed": spec.embed.seed}
    options |= {"model": model} if kind.models else {}

    def embed(adjacency: sparse.csr_matrix) -> Matrix:
        further = [network.features[tied]] if kind.features else [network.side[tied]] if kind.sides else []
        return make(adjacency, *further, **options)

    within = network.adjacency[tied][:, tied].tocsr()
    try:
        vectors = embed(within)
        validate = spec.data.validate
        told = validate(embed, within, network.ids.gather(tied), tables) if validate else {}
    except ValueError as error:
        raise EmbedderError(f'embed.kind = "{spec.embed.kind}": {error}; use "prone"') from None
    vectors = vectors if len(tied) else np.zeros((0, options["dimension"]), dtype=np.float32)
    nodes = network.hashes.gather(tied)
    moved, common = np.nan, 0
    before = max(stored_bases(workspace, basis), key=lambda one: one.overlap, default=None)
    if before is not None:
        stored = before.load()
        vectors, moved, common = aligned(vectors, nodes, stored["vectors"], _names(stored["nodes"]))
    packed = np.frombuffer(bytes.fromhex("".join(nodes)), dtype=np.uint8).reshape(-1, 16)
    basis.save(nodes=packed, vectors=vectors, moved=np.array(moved), common=np.array(common), **told)


def aligned(vectors: Matrix, nodes: pl.Series, before: Matrix, nodes_before: pl.Series) -> tuple[Matrix, float, int]:
    """The vectors (n, d) turned towards those of before, by the nodes in both.

    Returns:
        The vectors, the mean cosine distance of the nodes in both in [0, 2] (NaN without any), and how many they are.
    """
    wide = max(vectors.shape[1], before.shape[1])
    new, old = (np.pad(matrix, ((0, 0), (0, wide - matrix.shape[1]))) for matrix in (vectors, before))
    rows = pl.DataFrame({"node": nodes, "new": np.arange(len(nodes))})
    both = rows.join(pl.DataFrame({"node": nodes_before, "old": np.arange(len(nodes_before))}), on="node").sort("new")
    if both.is_empty():
        return vectors, float("nan"), 0
    mine, theirs = new[both["new"].to_numpy()], old[both["old"].to_numpy()]
    turn, _ = orthogonal_procrustes(mine.astype(np.float64), theirs.astype(np.float64))
    turned = (new @ turn).astype(np.float32)
    cosine = np.einsum("nd,nd->n", turned[both["new"].to_numpy()], theirs, dtype=np.float64)
    lengths = np.linalg.norm(mine, axis=1) * np.linalg.norm(theirs, axis=1)
    known = lengths > 0
    return turned, float((1 - cosine[known] / lengths[known]).mean()) if known.any() else float("nan"), len(both)


def placed(stored: dict[str, np.ndarray], network: Network, missing: pl.Series) -> Placed:
    """Vectors of the `missing` nodes: their own of the basis, or the mean of their neighbours'."""
    known = pl.DataFrame({"node": _names(stored["nodes"]), "row": np.arange(len(stored["nodes"]))})
    found = network.hashes.to_frame("node").join(known, on="node", how="left", maintain_order="left")["row"]
    row = found.fill_null(-1).to_numpy()
    vectors = np.zeros((len(row), stored["vectors"].shape[1]), dtype=np.float32)
    vectors[row >= 0] = stored["vectors"][row[row >= 0]]
    has = row >= 0
    new = network.tied & ~has
    for _ in range(ROUNDS):
        reached = (network.adjacency @ has.astype(np.float32) > 0) & new & ~has
        if not reached.any():
            break
        mean = np.asarray(network.adjacency[reached] @ vectors)
        lengths = np.linalg.norm(mean, axis=1, keepdims=True)
        vectors[reached] = mean / np.where(lengths > 0, lengths, 1)
        has = has | (reached & (np.linalg.norm(vectors, axis=1) > 0))
    wanted = has & network.tied & network.hashes.is_in(missing.implode()).to_numpy()
    return Placed(network.hashes.filter(pl.Series(wanted)), vectors[wanted], _checks(stored, new, has))


def _checks(stored: dict[str, np.ndarray], new: NDArray[np.bool_], has: NDArray[np.bool_]) -> tuple[Check, ...]:
    near, lost, common = int((new & has).sum()), int((new & ~has).sum()), int(stored["common"])
    checks: list[Check] = [
        ("nodes_placed", float(near), ">= 0", True, "new nodes at the mean of their neighbours, until the next refit"),
        ("nodes_unplaced", float(lost), "== 0", lost == 0,
         "new nodes that are tied to new ones alone, and have no vector before the next refit"),
    ]  # fmt: skip
    if common:
        moved = float(stored["moved"])
        said = (
            f"mean cosine distance of {common:,} nodes from their places before the graph was embedded again, rotated"
        )
        checks.append(("basis_moved", moved, f"<= {MOVED}", moved <= MOVED, said))
    if "hits" in stored:
        hits, popular, n, k = (float(value) for value in stored["hits"])
        said = (
            f"share of {n:,.0f} users whose last item, held out, is among the {k:.0f} best; by popularity {popular:.3f}"
        )
        checks.append((f"hit_at_{k:.0f}", hits, f"> {popular:.3f}", hits > popular, said))
    return tuple(checks)


def _names(packed: np.ndarray) -> pl.Series:
    """Content hashes as text, of rows of 16 bytes."""
    return pl.Series("node", [bytes(row).hex() for row in packed], dtype=pl.String)
