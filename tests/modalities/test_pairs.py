"""Pairs of a picture and a caption: which captions do not belong, and a whole night with them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score

import assay
from assay.contracts.errors import SourceError, SpecError
from assay.contracts.spec import make_spec
from assay.modalities.image.digits import digit_samples
from assay.modalities.pairs import captions, example
from assay.selftest.run import run_selftest
from assay.store.snapshots import newest_snapshot
from assay.store.workspace import Workspace
from tests.explorer.visit import client_of

VALUES = {"name": "x", "modality": "pairs", "source": {"kind": "table", "path": "x.csv"}}
SPEC = make_spec(VALUES, Path(), "the test's spec")


def clusters(n: int = 400, wrong: int = 20, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Samples, vectors around ten centres with captions that say which, and whether each caption is another's."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(10, 32))
    kind = rng.integers(0, 10, n)
    vectors = captions.unit_length(centres[kind] + 0.8 * rng.normal(size=(n, 32)))
    is_wrong = np.arange(n) < wrong
    told = np.where(is_wrong, (kind + rng.integers(1, 10, n)) % 10, kind)
    texts = [example.SAYS[int(rng.integers(8))].format(example.NAMES[name]) for name in told]
    ids = [f"{row:04d}" for row in range(n)]
    hashes = [f"{row:032x}"[::-1] for row in range(n)]
    return pl.DataFrame({"sample_id": ids, "content_hash": hashes, "text": texts}), vectors, is_wrong


def measured(samples: pl.DataFrame, vectors: np.ndarray, unit: np.ndarray | None = None) -> dict[str, pl.DataFrame]:
    unit = np.arange(len(samples)) if unit is None else unit
    found = captions.caption_measures(SPEC, samples, unit, vectors)
    assert found["score"].is_between(0, 1).all() and not found["score"].is_nan().any()
    return {name: found.filter(pl.col("metric") == name) for name in found["metric"].unique()}


def test_wrong_captions_are_ranked_and_flagged():
    """Nearly all of them before the right ones; about as many are likely wrong as are; none where none is."""
    samples, vectors, is_wrong = clusters()
    found = measured(samples, vectors)["wrong_caption"]
    likely = found.sort("sample_id")["score"].to_numpy()
    assert average_precision_score(is_wrong, likely) > 0.9
    flagged = likely >= 0.5
    assert is_wrong[flagged].mean() > 0.75 and flagged[is_wrong].mean() > 0.7
    clean = measured(*clusters(wrong=0)[:2])["wrong_caption"]
    assert (clean["score"] >= 0.5).sum() <= 4


def test_where_vectors_say_nothing_nothing_is_flagged():
    """Captions without any relation to the vectors cannot be judged."""
    samples, _, _ = clusters()
    noise = captions.unit_length(np.random.default_rng(5).normal(size=(len(samples), 32)))
    assert (measured(samples, noise)["wrong_caption"]["score"] == 0).all()


def test_one_caption_on_many_pictures():
    """It is an issue, unless most captions are shared; copies of one picture count once."""
    samples, vectors, _ = clusters(200)
    own = [f"picture number {row} of something {row * 7}" for row in range(200)]
    texts = pl.Series(["the same words" if row < 20 else own[row] for row in range(200)])
    shared = measured(samples.with_columns(text=texts), vectors)["shared_caption"].sort("sample_id")
    assert (shared["score"][:20] >= 0.5).all() and (shared["score"][20:] < 0.5).all()
    assert shared["value"][0] == 20
    one = np.array([0] * 20 + list(range(20, 200)))
    shared = measured(samples.with_columns(text=texts), vectors, one)["shared_caption"].sort("sample_id")
    assert (shared["score"] < 0.5).all()
    everywhere = measured(samples.with_columns(text=pl.lit("a b")), vectors)["shared_caption"]
    assert (everywhere["score"] == 0).all()


def test_copies_with_other_words():
    """A picture that is there twice, with captions that have nothing in common."""
    samples, vectors, _ = clusters(100)
    texts = [f"word{row} and thing{row}" for row in range(100)]
    texts[1], texts[3] = texts[0], "quite another matter"
    unit = np.array([0, 0, 2, 2, *range(4, 100)])
    unlike = measured(samples.with_columns(text=pl.Series(texts)), vectors, unit)["unlike_caption"].sort("sample_id")
    assert unlike["sample_id"].to_list() == ["0000", "0001", "0002", "0003"]
    assert unlike["score"][0] < 0.1


@pytest.mark.parametrize(
    "texts", [[None] * 60, [""] * 60, ["!?"] * 60, ["\x00 \u202e"] * 60, ["x" * 50_000] * 60, ["a"] * 60]
)
def test_any_words_are_survived(texts):
    """No words, signs alone, a word without end: scores, and nothing else."""
    samples, vectors, _ = clusters(60)
    found = measured(samples.with_columns(text=pl.Series(texts, dtype=pl.String)), vectors)
    is_blank = not texts[0]
    assert (found["near_empty"]["score"] == 1).all() == (is_blank or texts[0] == "a")


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """`(snapshot, truth, workspace)` of captioned digits, the column of captions under another name."""
    folder = tmp_path_factory.mktemp("pairs")
    whole = digit_samples(0, 500)
    original = example.digit_samples
    example.digit_samples = lambda seed: whole
    try:
        truth = example.write_example(folder, 1)
    finally:
        example.digit_samples = original
    table = folder / "captioned-digits" / "captions.csv"
    pl.read_csv(table).rename({"text": "caption"}).write_csv(table)
    text = 'name = "pairs"\nmodality = "pairs"\n[source]\nkind = "table"\npath = "captioned-digits/captions.csv"\n'
    text += 'columns = { text = "caption" }\n[project]\nmethods = ["pca"]\n'
    (folder / "spec.toml").write_text(text)
    assay.run(folder / "spec.toml", home=folder / "home")
    workspace = Workspace(folder / "home", "pairs")
    return newest_snapshot(workspace), truth, workspace


def test_swapped_captions_are_found(night):
    """Through the whole pipeline, without weights."""
    snapshot, truth, _ = night
    scores = pl.read_parquet(snapshot.parts("scores")).filter(pl.col("metric") == "wrong_caption")
    is_wrong = scores["sample_id"].is_in(truth["uri"].implode()).to_numpy()
    assert len(scores) == 500 and average_precision_score(is_wrong, scores["score"].to_numpy()) > 0.6


def test_captions_have_a_map_of_their_own(night):
    """Equal captions lie in one place, and nearest to each one of the same digit or the same sentence."""
    snapshot, _, _ = night
    places = snapshot.read("projection").filter(pl.col("method") == "captions")
    both = places.join(snapshot.read("samples").select("sample_id", "text"), on="sample_id")
    assert len(both) == 500
    one = both.group_by("text").agg(pl.struct("x", "y").n_unique().alias("places"), pl.first("x", "y"))
    assert (one["places"] == 1).all()
    names = np.array([next(name for name in example.NAMES if name in text) for text in one["text"]])
    xy = one.select("x", "y").to_numpy()
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = names[apart.argmin(axis=1)] == names
    frames = np.array([text.replace(name, "") for text, name in zip(one["text"], names, strict=True)])
    assert (nearest | (frames[apart.argmin(axis=1)] == frames)).mean() > 0.8
    checks = snapshot.read("embedding_health").filter(pl.col("check") == "projection_captions_units")
    assert checks["value"].to_list() == [float(len(one))]


def test_the_explorer_shows_and_finds_the_words(night):
    """On the card, on the page, and by search."""
    client = client_of(night[2])
    meta = client.get("/api/1/meta").json()
    assert meta["face"] == "captioned" and [one["method"] for one in meta["layouts"]] == ["pca", "captions"]
    cards = client.post("/api/1/gallery", json={"filter": {}, "sort": "position"}).json()["cards"]
    words = cards[0]["caption"]
    assert any(name in words for name in example.NAMES)
    detail = client.get("/api/1/sample", params={"id": cards[0]["id"]}).json()
    assert detail["caption"] == words
    found = client.post("/api/1/gallery", json={"filter": {"text": "three"}, "sort": "position"}).json()
    assert 20 < found["total"] < 200 and all("three" in card["caption"] for card in found["cards"])


def test_a_table_without_captions_says_what_is_missing(tmp_path):
    """And how a column of another name is given."""
    (tmp_path / "a.png").write_bytes(digit_samples(0, 1)[0].content)
    pl.DataFrame({"uri": ["a.png"]}).write_csv(tmp_path / "t.csv")
    (tmp_path / "spec.toml").write_text('name = "p"\nmodality = "pairs"\n[source]\nkind = "table"\npath = "t.csv"\n')
    with pytest.raises(SourceError, match="column `text`"):
        assay.run(tmp_path / "spec.toml", home=tmp_path / "home")


def test_the_selftest_says_that_it_cannot_plant_captions(night):
    """In words, before anything is run: what can be planted is altered content, and a caption is none."""
    folder = night[2].home.parent
    with pytest.raises(SpecError, match="no defects to plant"):
        run_selftest(folder / "spec.toml", folder / "home")
