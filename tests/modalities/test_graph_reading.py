"""Files of graphs with odd columns, odd ids and features that are damaged."""

import io

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from scipy import sparse

from assay.contracts.errors import SourceError
from assay.modalities.graph.features import FeatureFile, cosines, places_of, read_features, unit_length
from assay.modalities.graph.reading import numbers_of
from tests.modalities.test_graph import EDGES, NODES, npz, saved

DENSE = np.array([[1, 0, 2], [0, 0, 3], [1, 1, 0], [0, 2, 0]], dtype=np.float32)


def npy(array) -> bytes:
    """The bytes of an npy."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def compressed(**arrays) -> bytes:
    """An npz whose members are compressed."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


FILES = {
    "csr": saved(sparse.csr_matrix(DENSE)), "csc": saved(sparse.csc_matrix(DENSE)),
    "coo": saved(sparse.coo_matrix(DENSE)), "dense": npz(x=DENSE), "packed": compressed(x=DENSE, ids=np.arange(4)),
    "npy": npy(DENSE),
}  # fmt: skip


@pytest.mark.parametrize("form", list(FILES))
@pytest.mark.parametrize("name", ["features.npz", "features.npy"])
def test_a_file_is_read_by_what_it_holds(form, name):
    """Whatever its ending says."""
    assert np.array_equal(read_features(name, FILES[form]).matrix.toarray(), DENSE)


@pytest.mark.parametrize("form", list(FILES))
@hypothesis.given(
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.one_of(st.none(), st.floats(0, 1)),
)
@hypothesis.settings(max_examples=100)
def test_a_damaged_file_of_features_is_refused_or_read(form, changes, cut):
    """Never an error that is not for the user; what is read has finite places and the file's shape."""
    data = bytearray(FILES[form])
    for place, byte in changes:
        data[place % len(data)] = byte
    if cut is not None:
        del data[int(cut * len(data)) :]
    try:
        found = read_features("features.npz", bytes(data)).matrix
    except SourceError as error:
        assert "features.npz" in str(error)
    else:
        assert found.shape == found.toarray().shape


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": DENSE, "y": DENSE}, r"x of shape \(4, 3\), y of shape \(4, 3\); wanted one matrix"),
        ({}, "holds nothing; wanted one matrix"),
        ({"x": DENSE.astype(complex)}, "values of type complex128; wanted numbers"),
        ({"x": np.array([["2020"]], dtype="M8[D]")}, "wanted numbers"),
        ({"x": DENSE, "ids": np.array([b"\xff", b"a", b"b", b"c"])}, "can't decode byte 0xff"),
        ({"format": "csr", "shape": [np.inf, 3], "data": [1.0], "indices": [0], "indptr": [0, 1]}, "cannot be read"),
        ({"format": "csr", "shape": [3], "data": [1.0], "indices": [0], "indptr": [0, 1]}, r"a shape of \(3,\)"),
        ({"format": "csr", "shape": [-1, 3], "data": [1.0], "indices": [0], "indptr": [0]}, r"a shape of \(-1, 3\)"),
        ({"format": "csr", "shape": [2, 3], "data": [1.0], "indices": [0], "indptr": [0, 1]}, "2 row pointers for a"),
        ({"format": "coo", "shape": [1, 3], "data": [1.0], "row": [0], "col": [3]}, "outside the matrix"),
        ({"format": "coo", "shape": [1, 3], "data": [1.0], "row": [-1], "col": [0]}, "outside the matrix"),
        ({"format": "dia", "shape": [1, 3], "data": [[1.0]], "offsets": [0]}, "'dia'; wanted csr, csc or coo"),
        ({"format": "bsr", "shape": [1, 1], "data": [[[1.0]]], "indices": [0], "indptr": [0, 1]}, "'bsr'; wanted"),
    ],
)
def test_what_is_no_matrix_is_refused(arrays, said):
    """With what was found."""
    with pytest.raises(SourceError, match=said):
        read_features("features.npz", npz(**{name: np.asarray(values) for name, values in arrays.items()}))


def test_rows_are_found_by_their_ids():
    """Those that the file names, else by number, else in their order; nothing else."""
    matrix = sparse.csr_matrix(np.ones((3, 1)))
    named = FeatureFile("f.npz", matrix, ["c", "a", "b"])
    assert places_of(named, ["a", "b", None, "z", "c"]).tolist() == [1, 2, -1, -1, 0]
    plain = FeatureFile("f.npz", matrix)
    assert places_of(plain, ["2", "0", "1", None]).tolist() == [2, 0, 1, -1]
    assert places_of(plain, ["2", "0", "2"]).tolist() == [0, 1, 2]
    with pytest.raises(SourceError, match="3 rows of features, and the nodes are 2 ids in 2 rows"):
        places_of(plain, ["x", "y"])


def test_cosines_are_those_of_numpy():
    """NaN without a feature; infinity counts as nothing."""
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.3)
    dense[3], dense[5, 0], dense[6, 1] = 0.0, np.inf, np.nan
    left, right = rng.integers(0, 40, (2, 500))
    found = cosines(unit_length(sparse.csr_matrix(dense)), left, right)
    clean = np.where(np.isfinite(dense), dense, 0.0)
    length = np.linalg.norm(clean, axis=1)
    with np.errstate(invalid="ignore"):
        wanted = (clean[left] * clean[right]).sum(axis=1) / (length[left] * length[right])
    assert found == pytest.approx(wanted, abs=1e-9, nan_ok=True) and np.isnan(found).any()


def test_numbers_of_any_cells():
    """What is no number is NaN: lists, objects, words, bytes; too large a number is infinite."""
    cells = [1, 2.5, "3", " 4 ", True, None, "x", [1], {"a": 1}, b"1", "", 10**400]
    wanted = [1, 2.5, 3, 4, 1, *[np.nan] * 6, np.inf]
    assert numbers_of(cells) == pytest.approx(np.array(wanted, dtype=float), nan_ok=True)


def test_columns_of_features_with_lists_in_them_are_a_finding(ingested):
    """A cell that is no number costs itself."""
    nodes = '{"id": 1, "f0": 1, "f1": [2]}\n{"id": 2, "f0": {"a": 1}, "f1": 4}\n'
    output = ingested("graph", {"nodes.jsonl": nodes, "edges.csv": "u,v\n1,2\n"}, {"vector": "f*"})
    stored = output.read("node_features")
    assert stored["values"].to_list() == [[1.0], [4.0]] and stored["n_bad"].to_list() == [1, 1]


@pytest.mark.parametrize(
    ("nodes", "columns", "said"),
    [
        ("key,sample_id\n1,x\n2,y\n", {"sample_id": "key"}, r"nodes.csv has a column 'sample_id', a name.*rename it"),
        ("id,topic,label\n1,x,y\n", {"label": "topic"}, r"a column 'label', a name.*rename it"),
        ("id,Label\n1,x\n", {}, r"source.columns = \{ label = 'Label' \}"),
        ("id,kind\n1,x\n", {"label": "topic"}, r"label = 'topic', and no such column is in nodes.csv.*'id', 'kind'"),
        ("id,f0\n1,2\n", {"vector": "emb"}, "vector = 'emb', and no such column"),
        ("id\n1\n", {"sample_id": "key"}, r"nodes.csv has no column 'key'; its columns are 'id'"),
        ("id,uri,node_uri\n1,x,y\n", {}, "two columns named 'node_uri'"),
        ("id,position\n1,x\n", {}, "nodes.csv has a column 'position'"),
        ("id\n", {}, "no table has a row below its header"),
    ],
)
def test_columns_of_nodes_that_leave_a_doubt_are_refused(ingested, nodes, columns, said):
    """No column takes the place of the one that the spec names."""
    with pytest.raises(SourceError, match=said):
        ingested("graph", {"nodes.csv": nodes, "edges.csv": EDGES}, columns)


def test_names_of_columns_in_any_case(ingested):
    """As Gephi writes them."""
    files = {"nodes.csv": "Id,Label\n1,a\n2,b\n", "edges.csv": "Source,Target,Type,Weight\n1,2,Undirected,1\n"}
    output = ingested("graph", files, {"label": "Label"})
    assert output.read("ingested").select("sample_id", "label").rows() == [("1", "a"), ("2", "b")]
    assert not output.read("edges")["is_dangling"].any()


@pytest.mark.parametrize(
    ("edges", "section", "said"),
    [
        ("a,b,c\n1,2,3\n", {"from_column": "a"}, r"the columns 'a', 'b', 'c'; wanted 'a' and ''"),
        ("a,b,c\n1,2,3\n", {"from_column": "a", "to_column": "z"}, "wanted 'a' and 'z'.*to_column"),
        ("a\n1\n", {}, "wanted two with the ends"),
        ("a,b\n1,2\n", {"features": "features.csv"}, r"features come from a .npz or .npy.*features.csv"),
        ("a,b\n1,2\n", {"nodes": "nodes.docx"}, r"no table of nodes that can be read: 'nodes.docx': found edges.csv"),
        ("a,b\n1,2\n", {"nodes": "../nodes.csv"}, "cannot be read: outside_root"),
    ],
)
def test_what_the_spec_says_of_a_graph_is_held_against_its_files(ingested, edges, section, said):
    """What was found, what was wanted, where to name it."""
    with pytest.raises(SourceError, match=said):
        ingested("graph", {"nodes.csv": NODES, "edges.csv": edges}, graph=section)


def test_edges_without_two_ends_are_told(ingested):
    """An empty end, and one that is not there at all, are left out and counted."""
    edges = '{"source": 1, "target": 2}\n{"source": 1}\n{"source": null, "target": 2}\n{"source": "", "target": 2}\n'
    output = ingested("graph", {"nodes.csv": NODES, "edges.jsonl": edges})
    assert output.read("edges").select("source", "target").rows() == [("1", "2")]
    assert "3 rows of edges.jsonl name no two nodes" in "".join(output.read("dataset_metrics")["note"].drop_nulls())
