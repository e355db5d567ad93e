"""Graphs: nodes with edges, and what the stages know of them. What computes is imported when it is called."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from assay.contracts.modality import Copies, Defect, Example, Face, Facts, Modality
from assay.contracts.spec import Spec
from assay.contracts.tables import NodeFacts
from assay.sources.own import OwnRows
from assay.store.tables import TableReader, Tables
from assay.store.workspace import Workspace


def folder(spec: Spec, workspace: Workspace) -> OwnRows:
    """The nodes of a folder with tables of nodes and edges."""
    from assay.modalities.graph.reading import read_folder

    return read_folder(spec, workspace)


def measure(
    _: Spec, tables: TableReader, samples: pl.DataFrame, chunks: list[list[str]]
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]]:
    """Facts of each chunk of nodes, in the graph of tonight."""
    from assay.modalities.graph.facts import node_facts

    return node_facts(tables, samples, chunks)


def tier(_: Spec, samples: pl.DataFrame, *unused: Any) -> Any:
    """Nothing: two ids are two nodes."""
    from assay.modalities.graph.copies import no_tier

    return no_tier(len(samples))


def confirmer(_: Spec, samples: pl.DataFrame, tables: Tables, workspace: Workspace) -> Any:
    """Confirms pairs of nodes on their features and neighbours."""
    from assay.modalities.graph.copies import Nodes

    return Nodes(samples, tables)


def example(folder: Path, seed: int) -> pl.DataFrame:
    """Writes a made graph of papers with planted defects."""
    from assay.modalities.graph.example import write_example

    return write_example(folder, seed)


ELSEWHERE = ("outliers", "label issues", "unlike_neighbors", "junk_cluster")  # what strange edges may look like
GRAPH = Modality(
    name="graph",
    content="file",
    face=Face("drawing", "nodes", facts="node_facts", preview="thumbnail"),
    embedders=("sgc", "prone", "netmf", "spectral", "deepwalk", "node2vec", "fastrp"),
    facts=Facts(
        table="node_facts",
        contract=NodeFacts,
        measure=measure,
        chunk=4096,
        issues=(Path(__file__).with_name("issues.sql"),),
        prevalence=Path(__file__).with_name("numbers.sql"),
        nightly=True,
    ),
    copies=Copies(columns=("degree",), largest=("degree",), tier=tier, confirmer=confirmer),
    defects={
        "wrong_class": Defect("source", "label issues", also=("unlike_neighbors",)),
        "no_edges": Defect("source", "isolated_node"),
        "loop": Defect("source", "self_loop"),
        "edge_again": Defect("source", "repeated_edge"),
        "lost_end": Defect("source", "dangling_edge"),
        "hub": Defect("source", "hub", also=ELSEWHERE),
        "not_numbers": Defect("source", "bad_features", also=ELSEWHERE),
        "same_neighbours": Defect("source", "twin_node", also=ELSEWHERE),
        "given_twice": Defect("source", "near duplicates", also=("twin_node",)),
    },
    example=Example(
        "made-papers",
        "made papers of six fields, by their words, and who cites whom",
        write=example,
        spec='[source]\nkind = "folder"\npath = "made-papers"\n',
    ),
    folder=folder,
    tables=("edges", "node_features"),
)
