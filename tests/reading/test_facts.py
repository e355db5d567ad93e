"""Values of single rows out of many parts and row groups, and similarities, against plain NumPy."""

import re

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from assay.contracts.errors import AssayError
from assay.reading import facts
from assay.reading.columns import View
from assay.reading.facts import FactReader, can_search_words, similarities, text, thumbnail
from assay.reading.filters import FilterError
from assay.reading.selection import ordered, select
from tests.reading.made import made_view
from tests.snapshot_builder import samples

N = 23
FACE = {"kind": "text", "plural": "texts", "facts": "text_facts", "preview": "", "text": "text"}


def made(folder, vectors: np.ndarray | None = None, rows_a_part: int = 7) -> View:
    """Texts `text 0`, … of which every fifth has no facts; the facts in another order, in parts of two row groups."""
    rows = samples([f"s{i}" for i in range(N)])
    order = np.random.default_rng(0).permutation([i for i in range(N) if i % 5])
    tables = {"samples": rows, "text_facts": rows.select("content_hash")[order].with_columns(
        text=pl.Series([None if i == 7 else f"text {i}" for i in order], dtype=pl.String))}  # fmt: skip
    if vectors is not None:
        dtype = pl.Array(pl.Float32, vectors.shape[1])
        tables["vectors"] = rows.select("content_hash").with_columns(
            embedder=pl.lit("toy"), vector=pl.Series(vectors.astype(np.float32), dtype=dtype)
        )[[i for i in range(N) if i != 3]]  # fmt: skip
    view = made_view(folder, tables, rows_a_part, face=FACE)
    for part in view.snapshot.parts("text_facts"):
        pq.write_table(pq.read_table(part), part, row_group_size=4)
    return view


@pytest.mark.parametrize("room", [10**9, 60, 0])
def test_each_row_has_its_own_text(tmp_path, monkeypatch, room):
    """Whatever part and row group it stands in, in any order, and however little of what was read is kept."""
    monkeypatch.setattr(facts, "MOST_BYTES", room)
    view = made(tmp_path)
    for row in np.random.default_rng(1).permutation(np.tile(np.arange(N), 2)).tolist():
        assert text(view, row) == (f"text {row}" if row % 5 and row != 7 else None)
    assert thumbnail(view, 1) is None


def test_what_is_kept_is_not_read_again(tmp_path, monkeypatch):
    """One row group after another is read once, while there is room."""
    view, reads = made(tmp_path), []
    real = FactReader._read
    monkeypatch.setattr(FactReader, "_read", lambda self, *place: reads.append(place) or real(self, *place))
    for _ in range(3):
        assert [text(view, row) for row in (1, 2, 3)] == ["text 1", "text 2", "text 3"]
    n = len(reads)
    assert 1 <= n <= 3 and text(view, 1) == "text 1" and len(reads) == n


def test_similarities_are_the_cosines(tmp_path):
    """Of all parts, to a sample or a vector of any length; a zero vector, one with NaN and none at all are far."""
    vectors = np.random.default_rng(0).normal(size=(N, 5)).astype(np.float32) * 3
    vectors[8], vectors[9, 2] = 0, np.nan
    view = made(tmp_path, vectors)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = vectors @ vectors[1] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[1])
    cosine[[3, 8, 9]] = -np.inf
    np.testing.assert_allclose(similarities(view, row=1), cosine, atol=1e-6)
    np.testing.assert_allclose(similarities(view, vector=vectors[1] * 1e-6), cosine, atol=1e-5)
    assert np.isfinite(similarities(view, vector=np.zeros(5))).sum() == N - 3


def test_what_cannot_be_compared_is_said(tmp_path):
    """A sample without a vector, a query of another length."""
    view = made(tmp_path, np.eye(N, 4) + 1)
    with pytest.raises(AssayError, match="has no vector, so nothing can be compared"):
        similarities(view, row=3)
    with pytest.raises(AssayError, match="vectors have 4 dimensions, the query 3"):
        similarities(view, vector=np.ones(3))


@pytest.mark.parametrize("kind, value", [("words", {"text": "a dog"}), ("picture", {"name": "digest"})])
def test_words_and_pictures_find_what_is_near_to_their_vector(tmp_path, kind, value):
    """As the explorer embeds them; the nearest first, and never a sample without a vector."""
    vectors = np.random.default_rng(0).normal(size=(N, 4))
    view = made(tmp_path, vectors)
    with pytest.raises(FilterError, match=f"search by {kind} needs the explorer"):
        select(view, {kind: value})
    asked = []
    view.encode = lambda *given: asked.append(given) or vectors[6]
    wanted = {kind: value | {"k": 5}}
    rows = ordered(view, select(view, wanted), "similarity", True, wanted)
    near = vectors @ vectors[6] / np.linalg.norm(vectors, axis=1)
    near[3] = -np.inf
    assert rows.tolist() == np.argsort(-near)[:5].tolist() and rows[0] == 6
    assert asked == [(kind, next(iter(value.values())))]  # once, though it was asked twice
    assert select(view, {kind: value | {"k": 10_000}}).sum() == N - 1


def test_the_nearest_within_a_selection(tmp_path):
    """The two nearest of those that pass the other conditions, not those of all that pass them."""
    vectors = np.stack([np.cos(np.arange(N) / 20), np.sin(np.arange(N) / 20)], axis=1)
    view = made(tmp_path, vectors)
    some = [f"s{i}" for i in (0, 10, 11, 22)]
    near = {"id": "s5", "k": 2}
    assert np.flatnonzero(select(view, {"ids": some, "similar": near | {"within": True}})).tolist() == [0, 10]
    assert select(view, {"ids": some, "similar": near}).sum() == 0
    with pytest.raises(FilterError, match=re.escape("no sample 'nobody' in this snapshot")):
        select(view, {"similar": {"id": "nobody"}})


@pytest.mark.parametrize("embed, has_vectors, can", [
    ({"kind": "lsa"}, True, True), ({"kind": "vectors"}, True, False), ({"kind": "lsa"}, False, False),
    ({}, True, False),
])  # fmt: skip
def test_words_can_be_searched_where_texts_are_embedded_here(tmp_path, embed, has_vectors, can):
    """Not where the vectors were brought, or there are none."""
    view = made(tmp_path, np.ones((N, 2)) if has_vectors else None)
    view.snapshot.manifest["config"] = {"embed": embed}
    assert can_search_words(view) == can
