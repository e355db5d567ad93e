"""project: where each sample lies in two or three dimensions, the same from night to night."""

from typing import Any

import polars as pl

from assay.contracts.spec import Spec
from assay.layouts import fit
from assay.layouts.captions import MOST_CAPTIONS, caption_graph
from assay.layouts.fit import SMALLEST
from assay.layouts.layout import Graph, coordinates_of, fingerprint, known_places, layout_store, newest_generation
from assay.store.captions import caption_hashes
from assay.store.stage import StageWriter, Work, stage, write_rows
from assay.store.tables import TableReader, Tables
from assay.store.units import embedder_of, unit_graph, unit_vectors
from assay.store.workspace import Workspace

VERSION = 1


def _reads(spec: Spec) -> tuple[str, ...]:
    has_captions = bool(spec.data.face.caption)
    return ("samples", "units", "vectors", "neighbors", *(["caption_vectors"] if has_captions else []))


@stage(
    version=VERSION,
    reads=_reads,
    writes=("projection", "embedding_health"),
    hours=6,
)
def project(spec: Spec, workspace: Workspace, tables: Tables) -> Work:
    """samples, units, vectors, neighbors → projection, embedding_health; the places of contents are facts. Captions
    have a map of their own, by `caption_vectors`."""

    def body(writer: StageWriter) -> None:
        units, vectors = unit_vectors(tables)
        graph = Graph(units["content_hash"].to_list(), vectors, *unit_graph(tables, units["sample_id"]))
        members = unit_members(tables, units)
        methods = list(dict.fromkeys(spec.project.methods))
        health = []
        for method in methods:
            places, generation = _places(spec, workspace, graph, method, embedder_of(tables), members)
            write_rows(writer, "projection", projection_rows(places, members, method))
            health.append(_health_row(method, len(graph.content_hashes), generation))
        if methods and "caption_vectors" in tables.reads:
            health += _caption_map(spec, workspace, tables, writer)
        schema = {"check": pl.String, "value": pl.Float64, "wanted": pl.String, "ok": pl.Boolean, "note": pl.String}
        writer.write("embedding_health", pl.DataFrame(health, schema=schema, orient="row"))
        if not methods:
            write_rows(writer, "projection", projection_rows(empty_places(), members, "pca"))

    return Work(spec.part("project"), body)


def _caption_map(spec: Spec, workspace: Workspace, tables: Tables, writer: StageWriter) -> list[tuple[Any, ...]]:
    """The map of the captions, and its row of `embedding_health`; nothing where no caption has a vector."""
    samples = tables.read("samples").sort("position", "sample_id")
    captions = samples.select("sample_id").with_columns(caption_hashes(samples))
    graph, embedder = caption_graph(tables, captions["content_hash"])
    rows = pl.DataFrame({"content_hash": graph.content_hashes}, schema={"content_hash": pl.String})
    members = captions.join(rows.with_row_index("unit_row"), on="content_hash", maintain_order="left")
    if not len(members):
        return []
    method = "umap" if len(rows) <= MOST_CAPTIONS else "pca"
    places, generation = _places(spec, workspace, graph, method, f"captions by {embedder}", members)
    write_rows(writer, "projection", projection_rows(places, members, "captions"))
    return [_health_row("captions", len(rows), generation)]


def unit_members(tables: TableReader, units: pl.DataFrame) -> pl.DataFrame:
    """Columns `sample_id`, `content_hash`, `unit_row` (a row number of `units`) of every sample of those units."""
    numbered = units.select(pl.col("sample_id").alias("unit_id")).with_row_index("unit_row")
    samples = tables.scan("samples").select("sample_id", "position", "content_hash").collect()
    members = samples.join(tables.read("units"), on="sample_id").join(numbered, on="unit_id")
    return members.sort("position", "sample_id").select("sample_id", "content_hash", "unit_row")


def projection_rows(places: pl.DataFrame, members: pl.DataFrame, method: str) -> pl.DataFrame:
    """The `projection` table of one method, samples in position order; z only where the method has three axes."""
    z = pl.col("z") if method == "pca" else pl.lit(None, pl.Float32)
    rows = places.with_row_index("unit_row")
    return members.join(rows, on="unit_row", maintain_order="left").select(
        "sample_id", pl.lit(method).alias("method"), "x", "y", z.alias("z")
    )


def empty_places() -> pl.DataFrame:
    """Columns `x`, `y`, `z` with no rows."""
    return pl.DataFrame(schema={"x": pl.Float32, "y": pl.Float32, "z": pl.Float32})


def _places(
    spec: Spec, workspace: Workspace, graph: Graph, method: str, embedder: str, members: pl.DataFrame
) -> tuple[pl.DataFrame, int]:
    """The places of the units by one method, and their generation; new ones are stored before they are used."""
    if not graph.content_hashes:
        return empty_places(), 0
    name = fingerprint(embedder, method, spec.project, VERSION)
    generation = newest_generation(workspace, name)
    old, known = known_places(layout_store(workspace, name, generation), graph.content_hashes)
    coordinates, generation = coordinates_of(graph, method, spec.project, old, known, generation)
    places = pl.DataFrame(coordinates, schema={"x": pl.Float32, "y": pl.Float32, "z": pl.Float32}, orient="row")
    store = layout_store(workspace, name, generation)
    facts = members.join(places.with_row_index("unit_row"), on="unit_row", maintain_order="left")
    own = pl.col("content_hash").is_in(graph.content_hashes)  # a unit's own content before its other members'
    facts = facts.sort(~own, maintain_order=True).unique("content_hash", keep="first", maintain_order=True)
    missing = store.missing(facts["content_hash"])
    store.append(facts.filter(pl.col("content_hash").is_in(missing.implode())).drop("sample_id", "unit_row"))
    return places, generation


def _health_row(method: str, n: int, generation: int) -> tuple[Any, ...]:
    note = f"layout {generation}: known contents keep their places; it is fitted again when over 20% are new"
    if n > fit.LARGEST and method != "pca":
        note += f"; fitted on {fit.LARGEST:,} of {n:,} units, the others lie among their neighbours"
    if n < SMALLEST and method != "pca":
        note = f"{n} units are too few for {method}: drawn by their principal components"
    return (f"projection_{method}_units", float(n), f">= {SMALLEST}", n >= SMALLEST, note)
