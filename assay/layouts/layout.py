"""A layout that stays put from night to night: the place of each content is a fact.

A known content keeps its place; new ones are placed beside their neighbours; where more than 20% of the units have
no place yet, the projection is fitted again, started from and aligned to the old one, as the next generation.
"""

import json
import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from assay.contracts.spec import Project
from assay.layouts import fit
from assay.layouts.place import place_linear, place_new
from assay.store.facts import FactStore
from assay.store.files import hash_text
from assay.store.workspace import Workspace

REFIT_SHARE = 0.2


@dataclass(frozen=True)
class Graph:
    """The units of tonight: their content, unit-length vectors (n, d) and kNN graph (n, k)."""

    content_hashes: list[str]
    vectors: np.ndarray
    rows: np.ndarray
    similarities: np.ndarray


def fingerprint(embedder: str, method: str, config: Project, version: int) -> str:
    """What a layout hangs on, beside its contents."""
    parameters: dict[str, float] = {"seed": config.seed}
    if method == "umap":
        parameters |= {"n_neighbors": config.n_neighbors, "min_dist": config.min_dist}
    described = json.dumps([embedder, method, parameters, version], sort_keys=True)
    return f"{method}-{hash_text(described)[:16]}"


def newest_generation(workspace: Workspace, name: str) -> int:
    """The number of the newest fitted layout of that fingerprint; 0 where there is none."""
    found = [
        int(match[1])
        for folder in (workspace.facts / "layout").glob(f"{name}-g*")
        if (match := re.fullmatch(re.escape(name) + r"-g(\d{4})", folder.name)) and any(folder.glob("part-*.parquet"))
    ]
    return max(found, default=0)


def layout_store(workspace: Workspace, name: str, generation: int) -> FactStore:
    """The facts of one generation of a layout."""
    return FactStore(workspace, "layout", f"{name}-g{generation:04d}")


def known_places(store: FactStore, content_hashes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """`(coordinates, known)`: float32 (n, 3), zeros where unknown, and bool (n,)."""
    wanted = pl.DataFrame({"content_hash": content_hashes}, schema={"content_hash": pl.String})
    parts = store.parts_for(wanted["content_hash"])
    if not parts:
        return np.zeros((len(wanted), 3), dtype=np.float32), np.zeros(len(wanted), dtype=bool)
    facts = pl.scan_parquet(parts).unique("content_hash", keep="first", maintain_order=True).collect()
    joined = wanted.join(facts, on="content_hash", how="left", maintain_order="left")
    known = joined["x"].is_not_null().to_numpy()
    return joined.select(pl.col("x", "y", "z").fill_null(0.0)).to_numpy().astype(np.float32), known


def coordinates_of(
    graph: Graph, method: str, config: Project, old: np.ndarray, known: np.ndarray, generation: int
) -> tuple[np.ndarray, int]:
    """Places of all units, float32 (n, 3), and the generation they belong to."""
    unknown = float((~known).mean()) if len(known) else 0.0
    if generation and unknown <= REFIT_SHARE:
        if method == "pca" or len(known) < fit.SMALLEST:
            return place_linear(old, known, graph.vectors), generation
        return place_new(old, known, graph.rows, graph.similarities, graph.content_hashes), generation
    return fit_layout(graph, method, config, old, known), generation + 1


def fit_layout(graph: Graph, method: str, config: Project, old: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A fitted layout, float32 (n, 3); started from and aligned to the `old` places of the `known` rows, if any."""
    components = fit.pca_coordinates(graph.vectors, config.seed)
    if method == "pca":
        return fit.align_signs(components, old, known) if known.any() else components
    places = np.zeros_like(components)
    if len(components) < fit.SMALLEST or not graph.rows.shape[1]:
        places[:, :2] = components[:, :2]
        return places
    start = components[:, :2]
    if known.any():
        start = place_new(old, known, graph.rows, graph.similarities, graph.content_hashes)[:, :2]
    places[:, :2] = _fit_sample(graph, method, config, start, bool(known.any()))
    if known.any():
        places[:, :2] = fit.align(places[:, :2], old[:, :2], known)
    return places


def _fit_sample(graph: Graph, method: str, config: Project, start: np.ndarray, is_refit: bool) -> np.ndarray:
    """Fit on at most `fit.LARGEST` units, and place the others by their neighbours."""
    n = len(start)
    chosen = np.ones(n, dtype=bool)
    if n > fit.LARGEST:
        chosen[:] = False
        chosen[np.random.default_rng(config.seed).choice(n, fit.LARGEST, replace=False)] = True
    rows, similarities = _subgraph(graph.rows, graph.similarities, chosen)
    if method == "umap":
        fitted = fit.umap_coordinates(
            rows, similarities, start[chosen], config.n_neighbors, config.min_dist, config.seed, is_refit
        )
    else:
        fitted = fit.tsne_coordinates(rows, similarities, start[chosen], config.seed)
    if chosen.all():
        return fitted
    placed = np.isfinite(fitted).all(axis=1)  # UMAP gives no place to a unit none of whose neighbours was chosen
    chosen[chosen] = placed
    places = np.zeros((n, 2), dtype=np.float32)
    places[chosen] = fitted[placed]
    return place_new(places, chosen, graph.rows, graph.similarities, graph.content_hashes)


def _subgraph(rows: np.ndarray, similarities: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The graph among the chosen rows, renumbered. A row with too few chosen neighbours repeats its last one."""
    if chosen.all():
        return rows, similarities
    number = np.cumsum(chosen) - 1
    mine = rows[chosen]
    inside = chosen[mine]
    width = max(1, int(inside.sum(axis=1).mean()))
    order = np.argsort(~inside, axis=1, kind="stable")[:, :width]
    kept = np.take_along_axis(inside, order, axis=1)
    last = np.maximum(kept.sum(axis=1) - 1, 0)
    order = np.where(kept, order, np.take_along_axis(order, last[:, None], axis=1))
    near = number[np.take_along_axis(mine, order, axis=1)].astype(np.int32)
    alone = ~inside.any(axis=1)
    near[alone] = np.flatnonzero(alone)[:, None]  # knows no chosen row: its own neighbour
    return near, np.take_along_axis(similarities[chosen], order, axis=1)
