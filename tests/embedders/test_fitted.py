"""What the fitted embedders learn, against plain formulas; and the store of what they learned."""

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_digits

from assay.contracts.errors import EmbedderError
from assay.embedders import autoencoder
from assay.embedders.basis import plan_basis
from assay.embedders.lsa import Lsa
from assay.embedders.pca import ImagePca, leading_axes
from assay.embedders.registry import make_embedder
from assay.store.files import hash_text
from tests.embedders.conftest import ImageSet, TextSet, encoded, photo


def test_components_stop_at_the_rank():
    """Rows on a plane have two components, whatever is asked; rows of zeros have one column of zeros."""
    plane = np.random.default_rng(0).normal(size=(40, 2)) @ np.random.default_rng(1).normal(size=(2, 30))
    assert leading_axes(plane, 10).shape == (30, 2)
    assert leading_axes(np.zeros((5, 30)), 10).shape == (30, 1) and not leading_axes(np.zeros((5, 30)), 10).any()


def neighbour_accuracy(vectors: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose nearest other row by cosine has their label."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -2)
    return float((labels[similarity.argmax(axis=1)] == labels).mean())


@pytest.mark.parametrize(("kind", "wanted"), [("pca", 0.9), ("autoencoder", 0.8)])
def test_digits_lie_near_their_own_kind(tmp_path, workspace, monkeypatch, kind, wanted):
    """Real digits, embedded by a model fitted on them, have their own class as nearest neighbour."""
    from PIL import Image

    monkeypatch.setattr(autoencoder, "_EPOCHS", 15)
    digits = load_digits()
    files = [encoded(Image.fromarray((image * 15).astype(np.uint8))) for image in digits.images[:200]]
    hashes = pl.Series([hash_text(str(row)) for row in range(len(files))])
    embedder = make_embedder(ImageSet(tmp_path / "p", {}).spec(kind=kind), workspace, hashes)
    embedder.fit([embedder.prepare(data) for data in files])
    assert neighbour_accuracy(embedder.encode(files), digits.target[:200]) > wanted


def test_lsa_equals_a_plain_computation(tmp_path, workspace):
    """With as many dimensions as texts, cosines are those of the TF-IDF rows themselves."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["pay my card bill", "card declined", "top up by card", "exchange rate of the euro", "euro rate today"]
    hashes = pl.Series([hash_text(text) for text in texts])
    embedder = make_embedder(TextSet(tmp_path, []).spec(), workspace, hashes)
    assert isinstance(embedder, Lsa)
    embedder.fit(texts)
    got = embedder.encode(texts)
    parts = [
        TfidfVectorizer(analyzer=kind, ngram_range=ngrams, sublinear_tf=True, norm=None, **pattern).fit_transform(texts)
        for kind, ngrams, pattern in (("word", (1, 2), {"token_pattern": r"(?u)\b\w+\b"}), ("char_wb", (3, 5), {}))
    ]
    rows = np.hstack([part.toarray() for part in parts])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    got /= np.linalg.norm(got, axis=1, keepdims=True)
    assert np.allclose(got @ got.T, rows @ rows.T, atol=1e-4)


@pytest.mark.parametrize(
    "texts", [[""], ["", "!!", "…"], ["one"], ["same"] * 3, ["a\0b", "\u202eevil\ufffe", "x" * 100_000]]
)
def test_lsa_takes_any_text(tmp_path, workspace, texts):
    """Empty, equal, hostile and huge texts give finite vectors, never an error."""
    embedder = make_embedder(TextSet(tmp_path, []).spec(), workspace, pl.Series([hash_text("x")]))
    embedder.fit([embedder.prepare(text) for text in texts])
    got = embedder.encode([*texts, "never seen"])
    assert got.shape == (len(texts) + 1, embedder.dimensions)
    assert np.isfinite(got).all()


def test_stored_basis_gives_the_same_vectors(tmp_path, workspace):
    """What was learned is read back as it was, by another embedder object."""
    files = [encoded(photo(row)) for row in range(8)]
    hashes = pl.Series([hash_text(str(row)) for row in range(8)])
    spec = ImageSet(tmp_path / "p", {}).spec()
    first = make_embedder(spec, workspace, hashes)
    first.fit([first.prepare(data) for data in files])
    second = make_embedder(spec, workspace, hashes)
    assert isinstance(second, ImagePca) and second.basis.is_fitted
    assert np.array_equal(first.encode(files), second.encode(files))


def test_basis_nearest_to_tonights_contents_is_taken(workspace):
    """Of two stored bases the one that shares more contents; none where less than 80% is shared."""
    hashes = pl.Series([hash_text(str(row)) for row in range(100)])
    for part in (hashes[:80], hashes):
        basis = plan_basis(workspace, "a" * 32, part)
        if not basis.is_fitted:
            basis.save(x=np.zeros(1))
    taken = plan_basis(workspace, "a" * 32, hashes[:82])
    assert (taken.is_fitted, taken.overlap) == (True, 82 / 100) or taken.overlap == 80 / 82
    assert taken.overlap == 80 / 82
    assert not plan_basis(workspace, "a" * 32, hashes[:30]).is_fitted
    assert not plan_basis(workspace, "b" * 32, hashes).is_fitted


def test_damaged_basis_is_named(workspace):
    """A damaged file is an error that says what to remove, not a new and different embedder."""
    hashes = pl.Series([hash_text(str(row)) for row in range(5)])
    basis = plan_basis(workspace, "a" * 32, hashes)
    basis.save(x=np.zeros(10))
    basis.path.write_bytes(basis.path.read_bytes()[:40])
    again = plan_basis(workspace, "a" * 32, hashes)
    with pytest.raises(EmbedderError, match="remove"):
        again.load()


def test_light_does_not_matter_and_junk_is_far_away(tmp_path, workspace):
    """A relit digit stays at its original; a photograph, a black and a white page are near no digit."""
    from PIL import Image, ImageEnhance
    from sklearn.datasets import load_sample_image

    digits = [
        Image.fromarray(np.uint8(16 * image)).resize((64, 64)).convert("RGB") for image in load_digits().images[:150]
    ]
    relit = ImageEnhance.Brightness(digits[0]).enhance(0.75)
    flat = [Image.new("RGB", (64, 64), colour) for colour in ("black", "white")]
    junk = [Image.fromarray(load_sample_image("flower.jpg")).resize((64, 64)), *flat]
    files = [encoded(image) for image in (*digits, relit, *junk)]
    hashes = pl.Series([hash_text(str(row)) for row in range(len(files))])
    embedder = make_embedder(ImageSet(tmp_path / "p", {}).spec(kind="pca"), workspace, hashes)
    embedder.fit([embedder.prepare(data) for data in files])
    vectors = embedder.encode(files)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[150] @ unit[0] > 0.999
    nearest = np.sort(unit[:150] @ unit[:150].T)[:, -2]
    assert (unit[151:] @ unit[:150].T).max() < 0.65 < np.median(nearest)
