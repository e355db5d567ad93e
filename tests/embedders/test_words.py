"""Embedders that learn words: what they learn, that it is the same twice, and the table of words."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import EmbedderError
from assay.embedders.glove import cooccurrence, factorize
from assay.embedders.registry import make_embedder
from assay.embedders.stage import embed
from assay.embedders.vocabulary import WordVectors, count_words, pack, split_words, unpack
from assay.store.files import hash_text
from assay.store.workspace import Workspace
from tests.embedders.conftest import TextSet

KINDS = (
    {"kind": "bow"},
    {"kind": "bow", "model": "counts"},
    {"kind": "word2vec"},
    {"kind": "word2vec", "model": "cbow"},
    {"kind": "fasttext"},
    {"kind": "glove"},
    {"kind": "glove", "word_weights": "equal"},
)
NOUNS = {"money": ("card", "bank", "cash", "loan"), "weather": ("rain", "snow", "wind", "cloud")}


def sentences(n: int = 240) -> list[str]:
    """Texts about one of two things."""
    rng = np.random.default_rng(0)
    topics = [("money", "pay owe lend spend".split()), ("weather", "blow fall melt storm".split())]
    texts = []
    for row in range(n):
        topic, verbs = topics[row % 2]
        words = [*rng.choice(NOUNS[topic], 4), *rng.choice(verbs, 3), "the", "a"]
        texts.append(" ".join(rng.permutation(words)) + f" only{row}")
    return texts


def fitted(tmp_path, texts, **section):
    """An embedder fitted on texts."""
    workspace = Workspace(tmp_path / "home", "dataset")
    hashes = pl.Series("content_hash", [hash_text(text) for text in texts])
    embedder = make_embedder(TextSet(tmp_path, []).spec(**section), workspace, hashes)
    embedder.fit([embedder.prepare(text) for text in texts])
    return embedder


def unit(matrix: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


@pytest.mark.parametrize("section", KINDS, ids=lambda section: "-".join(section.values()))
def test_words_and_texts_of_one_topic_lie_near_each_other(tmp_path, section):
    """The nearest words of every noun are of its topic; texts are told apart."""
    texts = sentences()
    embedder = fitted(tmp_path, texts, **section)
    vectors = unit(embedder.encode(texts))
    even, odd = vectors[::2], vectors[1::2]
    assert (even @ even.T).mean() > (even @ odd.T).mean() + 0.2
    words = embedder.words()
    rows = {word: vector for word, vector in zip(words.words, unit(words.vectors), strict=True)}
    own = np.mean([rows[a] @ rows[b] for nouns in NOUNS.values() for a in nouns for b in nouns if a != b])
    across = np.mean([rows[a] @ rows[b] for a in NOUNS["money"] for b in NOUNS["weather"]])
    assert own > across + 0.2


@pytest.mark.parametrize("section", KINDS, ids=lambda section: "-".join(section.values()))
@pytest.mark.parametrize("texts", [[""], ["", "!!", "…"], ["one"], ["same"] * 3, ["a\0b", "\u202eevil\ufffe\ud800"]])
def test_any_text_is_taken(tmp_path, section, texts):
    """Empty, equal and hostile texts, and words never seen, give finite vectors, never an error."""
    embedder = fitted(tmp_path, texts, **section)
    got = embedder.encode([*texts, "never seen"])
    assert got.shape == (len(texts) + 1, embedder.dimensions)
    assert np.isfinite(got).all()
    frame = embedder.words().frame()
    assert frame["word"].is_unique().all()


def test_a_text_is_the_weighted_mean_of_its_words(tmp_path):
    """By hand: Σ idf · vector, whatever the batch."""
    texts = sentences()
    embedder = fitted(tmp_path, texts, kind="glove")
    words = embedder.words()
    weight = dict(zip(words.words, words.weights, strict=True))
    vector = dict(zip(words.words, words.vectors, strict=True))
    found = [word for word in split_words(texts[3]) if word in vector]
    by_hand = sum(weight[word] * vector[word] for word in found)
    assert np.allclose(embedder.encode([texts[3]])[0], by_hand, atol=1e-4)
    assert np.array_equal(embedder.encode(texts[:7])[3], embedder.encode([texts[3]])[0])
    equal = fitted(tmp_path, texts, kind="glove", word_weights="equal")
    assert set(equal.words().weights) == {1.0}


def test_fasttext_knows_words_that_it_never_saw(tmp_path):
    """A misspelt word gets the direction of its letters; word2vec gives it none."""
    texts = sentences()
    embedder = fitted(tmp_path, texts, kind="fasttext")
    known, misspelt, other = unit(embedder.encode(["cloud", "clouds", "lend"]))
    assert known @ misspelt > known @ other
    assert not fitted(tmp_path, texts, kind="word2vec").encode(["clouds"]).any()


@pytest.mark.slow
def test_another_process_learns_the_same(tmp_path):
    """Whatever Python's hashes are seeded with, gensim's and our vectors are the same."""
    code = (
        "import sys, hashlib; from pathlib import Path; from tests.embedders.test_words import fitted, sentences\n"
        "for kind in ('word2vec', 'fasttext', 'glove'):\n"
        "    print(hashlib.sha256(fitted(Path(sys.argv[1]), sentences(), kind=kind).encode(sentences())).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "PATH": ""},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1 and len(set(found.pop().split())) == 3


def test_cooccurrence_is_a_plain_count():
    """Each pair counts 1 ÷ distance, within its text only, both ways."""
    texts = [[0, 1, 2, 1], [2, 2], [0]]
    expected = np.zeros((3, 3))
    for text in texts:
        for a, first in enumerate(text):
            for b, second in enumerate(text):
                if a != b:
                    expected[first, second] += 1 / abs(a - b)
    assert np.allclose(cooccurrence(texts, 3).toarray(), expected)
    assert cooccurrence([[0]], 1).nnz == 0 and cooccurrence([], 2).shape == (2, 2)


def test_factorize_approaches_the_logarithms():
    """With enough dimensions, products of words and contexts are nearly the logs; no pair at all is fine."""
    rng = np.random.default_rng(0)
    counts = cooccurrence([rng.integers(0, 6, 12).tolist() for _ in range(40)], 6)
    assert factorize(counts, 8, 0).shape == (6, 8)
    assert np.array_equal(factorize(counts, 8, 0), factorize(counts, 8, 0))
    assert np.isfinite(factorize(cooccurrence([[0]], 1), 4, 0)).all()


def test_vocabulary_counts_texts_and_packs_any_word():
    """The most frequent first; a word counts once for each text; what was packed comes back."""
    words, n_texts = count_words([["b", "b", "a"], ["a", "b"], ["c"]])
    assert words == ["b", "a", "c"] and n_texts.tolist() == [2, 2, 1]
    assert unpack(pack(words)) == words and unpack(pack([])) == []
    many = [["common", f"rare{row}"] for row in range(100)]
    assert count_words(many)[0] == ["common"]


def test_words_without_direction_or_text_are_no_rows():
    """The table holds unit vectors of words that can be printed."""
    vectors = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0]], dtype=np.float32)
    frame = WordVectors(["card", "zero", "\ud800"], np.array([5, 1, 1]), np.ones(3, np.float32), vectors).frame()
    assert frame.rows() == [("card", 5, 1.0, [pytest.approx(0.6), pytest.approx(0.8)])]


@pytest.mark.parametrize(("kind", "has"), [("word2vec", True), ("bow", True), ("lsa", False)])
def test_the_stage_writes_the_words(tmp_path, workspace, kind, has):
    """Of embedders that embed words there is a table; a second night finds the same one."""
    texts = TextSet(tmp_path, sentences(60))
    spec = texts.spec(kind=kind)
    output = embed(spec, workspace, *texts.inputs(workspace))
    assert ("words" in output.tables) is has
    words = output.read("words")
    assert ("card" in words["word"]) is has
    if has:
        assert np.allclose([np.linalg.norm(row) for row in words["vector"]], 1, atol=1e-5)


def test_nearest_words_are_a_select(tmp_path, workspace):
    """As the documentation says it."""
    import duckdb

    texts = TextSet(tmp_path, sentences())
    output = embed(texts.spec(kind="word2vec"), workspace, *texts.inputs(workspace))
    connection = duckdb.connect()
    connection.read_parquet([str(part) for part in output.parts("words")]).create_view("words")
    found = connection.sql("""
        select b.word from words a, words b where a.word = 'card' and b.word <> 'card'
        order by list_cosine_similarity(a.vector, b.vector) desc limit 3
    """).fetchall()
    assert {word for (word,) in found} <= {*NOUNS["money"], "pay", "owe", "lend", "spend"}


def test_a_model_that_there_is_not_is_refused(tmp_path, workspace):
    """With those that there are."""
    hashes = pl.Series("content_hash", [hash_text("a")])
    with pytest.raises(EmbedderError, match="skipgram, cbow"):
        make_embedder(TextSet(tmp_path, []).spec(kind="word2vec", model="skip"), workspace, hashes)


def test_without_gensim_it_is_said_which_package(tmp_path, workspace, monkeypatch):
    """And what works without it."""
    monkeypatch.setattr("assay.embedders.fitted.package_installed", lambda name: False)
    with pytest.raises(EmbedderError, match="package gensim.*lsa"):
        make_embedder(TextSet(tmp_path, []).spec(kind="word2vec"), workspace, pl.Series("content_hash", ["a"]))
