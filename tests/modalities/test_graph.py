"""Graphs: what is read of nodes and edges, what is found, and whole nights."""

import io
import pickle
import zipfile

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy import sparse

from assay.contracts.errors import EmbedderError, SourceError, SpecError
from assay.contracts.spec import load_spec, make_spec
from assay.embedders.stage import embed
from assay.exporting.folder import write_folder
from assay.facts import clean
from assay.modalities.graph.adjacency import Ends, adjacency_of
from assay.modalities.graph.drawing import SIDE, Neighbourhoods
from assay.modalities.graph.facts import components, twins_of
from assay.night import run_spec
from assay.reading.columns import View
from assay.selftest.compare import compare_models
from assay.selftest.sandbox import make_sandbox
from assay.sources.ingest import ingest
from assay.store.workspace import Workspace

NODES = "node_id,label\n01,a\n1,a\n2,a\n3,b\n4,b\nalone,b\n"
EDGES = "source,target\n01,1\n01,2\n1,2\n2,3\n3,4\n1,2\n4,4\n3,gone\n"


@pytest.fixture
def graph(tmp_path):
    """A function that writes a graph's files and runs it as far as its facts and vectors."""

    def run(files, home="home", **sections):
        folder = tmp_path / "g"
        folder.mkdir(exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
        values = {"name": "g", "modality": "graph", "source": {"kind": "folder", "path": "g"}, **sections}
        spec, workspace = make_spec(values, tmp_path, "test"), Workspace(tmp_path / home, "g")
        read = ingest(spec, workspace)
        cleaned = clean(spec, workspace, read)
        return read, cleaned, embed(spec, workspace, read, cleaned)

    return run


def npz(**arrays) -> bytes:
    """The bytes of an npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def saved(matrix) -> bytes:
    """A SciPy matrix as `save_npz` writes it."""
    buffer = io.BytesIO()
    sparse.save_npz(buffer, matrix)
    return buffer.getvalue()


def facts_of(cleaned) -> dict[str, dict[str, object]]:
    """Facts by sample id."""
    rows = (
        cleaned.read("samples").select("sample_id", "content_hash").join(cleaned.read("node_facts"), on="content_hash")
    )
    return {row["sample_id"]: row for row in rows.to_dicts()}


def test_what_is_counted_at_a_node(graph):
    """Degrees, loops, edges given again, dangling ids, components, homophily; `01` and `1` are two nodes."""
    read, cleaned, _ = graph({"nodes.csv": NODES, "edges.csv": EDGES})
    assert read.read("ingested")["sample_id"].to_list() == ["01", "1", "2", "3", "4", "alone"]
    found = facts_of(cleaned)
    assert {name: row["degree"] for name, row in found.items()} == {"01": 2, "1": 2, "2": 3, "3": 2, "4": 1, "alone": 0}
    assert found["4"]["n_loops"] == 1 and found["3"]["n_dangling"] == 1
    assert [found[name]["n_repeated"] for name in ("01", "1", "2")] == [0, 1, 1]
    assert found["alone"]["component"] == 2 and found["01"]["component_size"] == 5
    assert found["2"]["homophily"] == pytest.approx(2 / 3) and found["alone"]["homophily"] is None
    edges = {(row["source"], row["target"]): row for row in read.read("edges").to_dicts()}
    assert edges["1", "2"]["n"] == 2 and edges["4", "4"]["is_loop"] and edges["3", "gone"]["is_dangling"]
    assert edges["2", "3"]["same_label"] is False and edges["3", "gone"]["same_label"] is None


def test_a_node_without_edges_has_no_vector_and_is_no_reject(graph):
    """It is told, and nothing else is missing."""
    _, _, vectors = graph({"nodes.csv": NODES, "edges.csv": EDGES})
    assert len(vectors.read("vectors")) == 5 and vectors.read("rejects").is_empty()
    health = {row["check"]: row for row in vectors.read("embedding_health").to_dicts()}
    assert health["nodes_without_edges"]["value"] == 1 and health["vectors_missing"]["ok"]


def test_no_edge_at_all(graph):
    """A table of edges without a row: nodes are there, vectors are not."""
    _, cleaned, vectors = graph({"nodes.csv": NODES, "edges.csv": "source,target\n"})
    assert len(cleaned.read("node_facts")) == 6 and not vectors.parts("vectors")


def test_parquet_with_numbers_and_named_columns(graph):
    """Whole numbers are ids as they are spelled; the spec names what is named otherwise."""
    nodes, edges = io.BytesIO(), io.BytesIO()
    pl.DataFrame({"key": [1, 2, 3], "kind": ["x", "y", "y"]}).write_parquet(nodes)
    pl.DataFrame({"when": [1, 2], "one": [1, 2], "two": [2, 3]}).write_parquet(edges)
    files = {"people.parquet": nodes.getvalue(), "knows.parquet": edges.getvalue()}
    source = {"kind": "folder", "path": "g", "columns": {"sample_id": "key", "label": "kind"}}
    where = {"nodes": "people.parquet", "edges": "knows.parquet", "from_column": "one", "to_column": "two"}
    read, cleaned, _ = graph(files, source=source, graph=where)
    assert read.read("ingested").select("sample_id", "label").rows() == [("1", "x"), ("2", "y"), ("3", "y")]
    assert facts_of(cleaned)["2"]["degree"] == 2


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"edges.csv": "a,b,c\n1,2,3\n"}, r"edges.csv has the columns 'a', 'b', 'c'; wanted two with the ends"),
        ({"nodes.csv": "label\na\n"}, "nodes.csv has no column of node ids; its columns are 'label'"),
        ({"features.npz": npz(x=np.ones((5, 2)))}, "5 rows of features, and the nodes are 6 ids in 6 rows"),
        ({"features.npz": npz(x=np.array([["a"]] * 6))}, "values of type <U1; wanted numbers"),
        ({"features.npz": npz(a=np.ones(3))}, r"features.npz holds a of shape \(3,\); wanted one matrix"),
        ({"features.npz": b"PK no zip"}, "cannot be read as a matrix of numbers"),
        ({"features.npz": npz(x=np.ones((6, 2)), ids=np.arange(4))}, "6 rows of features and 4 ids of rows"),
        ({"edges.parquet": "x"}, r"holds edges.csv, edges.parquet; say which"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_what_was_found(graph, files, said):
    """The message names what is there, and what was wanted."""
    with pytest.raises(SourceError, match=said):
        graph({"nodes.csv": NODES, "edges.csv": EDGES, **files})


def test_without_edges_the_files_there_are_named(graph):
    """A folder of nodes alone is no graph."""
    with pytest.raises(SourceError, match=r"no table of edges: found nodes.csv. Wanted edges.csv"):
        graph({"nodes.csv": NODES})


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


def test_pickles_are_refused_and_never_opened(graph):
    """An object array in an npz, and a pickle in the place of one."""
    with pytest.raises(SourceError, match="features.npz cannot be read"):
        graph({"nodes.csv": NODES, "edges.csv": EDGES, "features.npz": npz(x=np.array([[Trap()]] * 6, dtype=object))})
    with pytest.raises(SourceError, match="features.npy cannot be read"):
        where = {"features": "features.npy"}
        graph({"nodes.csv": NODES, "edges.csv": EDGES, "features.npy": pickle.dumps(Trap())}, graph=where)


def test_a_sparse_file_with_wrong_pointers_reads_nothing_outside(graph):
    """Indices beyond the width, pointers beyond the data: refused."""
    parts = {"format": np.array(b"csr"), "shape": np.array([6, 2]), "data": np.ones(6, dtype=np.float32)}
    for indices, indptr in ((np.full(6, 9), np.arange(7)), (np.zeros(6, int), np.array([0, 1, 2, 3, 4, 5, 10**6]))):
        with pytest.raises(SourceError, match="cannot be read"):
            graph(
                {"nodes.csv": NODES, "edges.csv": EDGES, "features.npz": npz(**parts, indices=indices, indptr=indptr)}
            )


def test_an_npz_that_unpacks_to_too_much_is_refused(graph, monkeypatch):
    """Before anything of it is unpacked."""
    monkeypatch.setattr("assay.modalities.graph.features.MOST_BYTES", 1000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(100_000))
    with pytest.raises(SourceError, match="unpacks to 100,000 bytes"):
        graph({"nodes.csv": NODES, "edges.csv": EDGES, "features.npz": packed.getvalue()})


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "dense", "columns", "lists"])
def test_features_in_every_form_are_the_same(graph, form):
    """Sparse or dense, in a file or in columns."""
    dense = np.array([[1, 0, 2], [0, 0, 3], [1, 1, 0], [0, 2, 0], [5, 0, 0], [0, 0, 1]], dtype=np.float32)
    nodes, files, source = pl.read_csv(NODES.encode(), infer_schema_length=0), {}, {"kind": "folder", "path": "g"}
    if form == "columns":
        nodes = nodes.hstack(pl.DataFrame(dense, schema=["f0", "f1", "f2"]))
        source["columns"] = {"vector": "f*"}
    elif form == "lists":
        nodes = nodes.with_columns(vector=pl.Series([str(row.tolist()) for row in dense]))
    else:
        files["features.npz"] = npz(x=dense) if form == "dense" else saved(sparse.csr_matrix(dense).asformat(form))
    read, _, vectors = graph({"nodes.csv": nodes.write_csv(), "edges.csv": EDGES, **files}, source=source)
    stored = read.read("node_features")
    assert [dict(zip(*row, strict=True)) for row in stored.select("indices", "values").iter_rows()] == [
        {column: value for column, value in enumerate(row) if value} for row in dense.tolist()
    ]
    assert stored["width"].to_list() == [3] * 6 and len(vectors.read("vectors")) == 5


def test_features_that_are_no_numbers_are_a_finding(graph):
    """NaN and infinity count as 0, and their node is told; so is a node that the file does not name."""
    dense = np.ones((5, 3))
    dense[1, 0], dense[2, 1:] = np.nan, (np.inf, -np.inf)
    ids = np.array(["01", "1", "2", "3", "4"])
    _, cleaned, vectors = graph({"nodes.csv": NODES, "edges.csv": EDGES, "features.npz": npz(x=dense, ids=ids)})
    assert [facts_of(cleaned)[name]["n_bad_features"] for name in ("01", "1", "2", "alone")] == [0, 1, 2, 3]
    assert np.isfinite(np.stack(vectors.read("vectors")["vector"].to_list())).all()


def test_rows_of_features_are_node_ids_where_ids_are_numbers(graph):
    """Row 2 is node 2, in whatever order the nodes stand."""
    files = {"nodes.csv": "id\n2\n0\n1\n", "edges.csv": "source,target\n0,1\n1,2\n"}
    read, _, _ = graph({**files, "features.npz": npz(x=np.diag([1.0, 2.0, 3.0]))})
    assert [row[0] for row in read.read("node_features")["values"].to_list()] == [3.0, 1.0, 2.0]


def test_an_id_given_twice_is_rejected_once(graph):
    """The first stands; the edges are its."""
    read, cleaned, _ = graph({"nodes.csv": NODES + "1,b\n,b\n", "edges.csv": EDGES})
    assert sorted(read.read("rejects")["reason"]) == ["duplicate_sample_id", "missing_sample_id"]
    assert facts_of(cleaned)["1"]["degree"] == 2


def test_a_node_is_its_id_and_features_not_its_neighbours(graph):
    """Twins stay two; an edge more changes no content."""
    star = {"nodes.csv": "id\na\nb\nc\nd\n", "edges.csv": "u,v\na,c\na,d\nb,c\nb,d\n"}
    read, cleaned, _ = graph(star)
    assert read.read("ingested")["content_hash"].n_unique() == 4
    found = facts_of(cleaned)
    assert found["a"]["twin"] == "b" and found["b"]["twin"] == "a" and found["a"]["n_twins"] == 1
    again, _, _ = graph(star | {"edges.csv": "u,v\na,c\na,d\nb,c\nb,d\na,b\n"})
    assert again.read("ingested")["content_hash"].to_list() == read.read("ingested")["content_hash"].to_list()


def test_a_hub_of_a_million_edges(tmp_path):
    """Counted and drawn in a moment."""
    n = 1_000_001
    ends = Ends(np.zeros(n - 1, dtype=np.int64), np.arange(1, n), np.ones(n - 1, dtype=np.int64))
    adjacency = adjacency_of(ends, n)
    twins, twin = twins_of(adjacency)
    assert twins[0] == 0 and (twins[1:] == n - 2).all() and twin[1] == 2 and twin[5] == 1
    assert components(adjacency)[1].min() == n
    picture = Image.open(io.BytesIO(Neighbourhoods(adjacency, np.full(n, -1)).draw(0)))
    assert picture.size == (SIDE, SIDE)


def test_components_are_numbered_by_their_size():
    """The largest is 1; of equals the one that begins first."""
    ends = Ends(np.array([0, 2, 3]), np.array([1, 3, 4]), np.ones(3, dtype=np.int64))
    number, size = components(adjacency_of(ends, 6))
    assert number.tolist() == [2, 2, 1, 1, 1, 3] and size.tolist() == [2, 2, 3, 3, 3, 1]


def test_an_embedder_that_wants_features_says_so(graph):
    """`auto` takes another; a kind that is asked for is refused."""
    files = {"nodes.csv": NODES, "edges.csv": EDGES}
    graph(files)
    with pytest.raises(EmbedderError, match="none has any: give features.npz"):
        graph(files, home="other", embed={"kind": "sgc"})
    with pytest.raises(EmbedderError, match="not a variant of fastrp"):
        graph(files, home="third", embed={"kind": "fastrp", "model": "x"})


def test_a_night_on_karate(tmp_path):
    """34 members, 78 edges, two sides: published, with pictures, facts and edges in SQL."""
    spec = make_sandbox("karate", tmp_path / "karate")
    snapshot = run_spec(spec, tmp_path / "home")
    assert load_spec(spec).modality == "graph" and snapshot.manifest["tables"]["samples"]["rows"] == 34
    assert len(pl.read_parquet(snapshot.parts("edges"))) == 78
    numbers = dict(pl.read_parquet(snapshot.parts("dataset_metrics")).select("metric", "value").iter_rows())
    assert numbers["graph_homophily"] == pytest.approx(67 / 78) and numbers["graph_components"] == 1
    with pytest.raises(SpecError, match="rows of a table, not files"):
        write_folder(view := View(snapshot), np.ones(len(view.ids), dtype=bool), tmp_path / "clean")
    assert (snapshot.path / "report.html").stat().st_size > 10_000


def test_embedders_of_graphs_are_compared_on_the_whole_graph(tmp_path):
    """However small the sample that is asked for: a part of a graph is another graph."""
    spec = make_sandbox("karate", tmp_path / "karate")
    found = {row.model: row for row in compare_models(spec, ["prone", "fastrp", "sgc"], 12, tmp_path / "home")}
    assert found["prone"].n == found["fastrp"].n == 34 and found["prone"].dimensions
    assert "none has any" in found["sgc"].problem
