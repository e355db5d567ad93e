"""The stage as a whole: which contents get vectors, what is refused, what is kept, and that it repeats exactly."""

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from assay.contracts.errors import EmbedderError
from assay.embedders import pipeline
from assay.embedders.pca import ImagePca
from assay.embedders.stage import embed
from assay.store.facts import FactStore
from assay.store.vectors import read_vectors
from assay.store.workspace import Workspace
from tests.embedders.conftest import ImageSet, TextSet, VectorSet, encoded, photo


def health(output) -> dict[str, float]:
    """`embedding_health` as check → value."""
    return dict(output.read("embedding_health", ["check", "value"]).iter_rows())


def vector_bytes(output) -> list[bytes]:
    """The bytes of the Parquet files of `vectors`."""
    return [part.read_bytes() for part in output.parts("vectors")]


def test_one_unit_vector_per_content(pictures, workspace):
    """Equal files share one vector, of length 1, and every sample finds its own."""
    output = embed(pictures.spec(), workspace, *pictures.inputs(workspace))
    assert output.read("vectors")["content_hash"].n_unique() == len(output.read("vectors")) == 11
    matrix, found = read_vectors(output, pl.Series(pictures.hashes()))
    assert found.all()
    assert np.allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-6)
    assert np.array_equal(matrix[0], matrix[11])


def test_two_homes_agree_byte_for_byte(pictures, tmp_path):
    """Fitted vectors are the same bytes in two fresh homes."""
    homes = [Workspace(tmp_path / name, "dataset") for name in ("one", "two")]
    first, second = (embed(pictures.spec(), home, *pictures.inputs(home)) for home in homes)
    assert vector_bytes(first) == vector_bytes(second)
    assert first.key == second.key


def test_only_new_content_is_embedded(pictures, workspace, monkeypatch):
    """A night with one more file decodes that file and leaves last night's parts as they were."""
    first = embed(pictures.spec(), workspace, *pictures.inputs(workspace))
    prepared = []
    plain = ImagePca.prepare
    monkeypatch.setattr(ImagePca, "prepare", lambda self, item: (prepared.append(item), plain(self, item))[1])
    new = encoded(photo(99))
    grown = ImageSet(pictures.root, {**pictures.files, "new.png": new})
    second = embed(grown.spec(), workspace, *grown.inputs(workspace))
    assert prepared == [new]
    assert vector_bytes(first)[0] in vector_bytes(second)
    assert health(second)["basis_overlap"] == pytest.approx(11 / 12)


def test_an_unchanged_night_does_nothing(pictures, workspace, monkeypatch):
    """The second run on the same content finds its output and prepares nothing."""
    inputs = pictures.inputs(workspace)
    first = embed(pictures.spec(), workspace, *inputs)
    monkeypatch.setattr(ImagePca, "prepare", lambda *_: pytest.fail("decoded again"))
    assert embed(pictures.spec(), workspace, *inputs) == first


def test_basis_is_fitted_anew_when_much_has_changed(pictures, workspace):
    """Less than 80% in common with the fitted contents: another basis, other fingerprint, all embedded by it."""
    first = embed(pictures.spec(), workspace, *pictures.inputs(workspace))
    grown = ImageSet(pictures.root, {**pictures.files, **{f"n{row}.png": encoded(photo(50 + row)) for row in range(5)}})
    second = embed(grown.spec(), workspace, *grown.inputs(workspace))
    assert set(first.read("vectors")["embedder"]) != set(second.read("vectors")["embedder"])
    assert len(second.read("vectors")) == 16
    assert health(second)["basis_overlap"] == 1.0


def test_unreadable_content_is_rejected_for_each_sample(tmp_path, workspace):
    """A damaged file and a vanished one are rejects with a true reason; the rest goes on."""
    files = {f"{row}.png": encoded(photo(row)) for row in range(4)}
    broken = ImageSet(tmp_path / "p", {**files, "bad.png": encoded(photo(9))[:60], "twin.png": encoded(photo(9))[:60]})
    inputs = broken.inputs(workspace)
    (broken.root / "3.png").write_bytes(encoded(photo(77)))
    output = embed(broken.spec(), workspace, *inputs)
    reasons = dict(output.read("rejects", ["uri", "reason"]).iter_rows())
    assert reasons == {"bad.png": "truncated", "twin.png": "truncated", "3.png": "changed_meanwhile"}
    assert health(output)["vectors_missing"] == 2.0


def test_a_content_is_read_from_any_place_that_still_holds_it(tmp_path, workspace):
    """Of two equal files the first is gone before it is embedded: nothing is rejected."""
    files = {f"{row}.png": encoded(photo(row)) for row in range(4)} | {"twin.png": encoded(photo(0))}
    pictures = ImageSet(tmp_path / "p", files)
    inputs = pictures.inputs(workspace)
    (pictures.root / "0.png").unlink()
    output = embed(pictures.spec(), workspace, *inputs)
    assert output.read("rejects").is_empty() and health(output)["vectors_missing"] == 0.0


def test_killed_run_goes_on_where_it_stopped(tmp_path, workspace, monkeypatch):
    """Parts written before a kill stay, are not computed again, and the result equals an undisturbed run's."""
    monkeypatch.setattr(pipeline, "CHUNK", 4)
    files = {f"{row:02d}.png": encoded(photo(row)) for row in range(14)} | {"02.png": encoded(photo(2))[:60]}
    pictures = ImageSet(tmp_path / "p", files)
    spec = pictures.spec(batch_size=3)
    calm_home = Workspace(tmp_path / "calm", "dataset")
    calm = embed(spec, calm_home, *pictures.inputs(calm_home))

    plain, stored = FactStore.append, []

    def dies(self, rows):
        if len(stored) == 2:
            raise KeyboardInterrupt
        stored.append(len(rows))
        return plain(self, rows)

    monkeypatch.setattr(FactStore, "append", dies)
    with pytest.raises(KeyboardInterrupt):
        embed(spec, workspace, *pictures.inputs(workspace))
    monkeypatch.setattr(FactStore, "append", plain)
    kept = sorted(workspace.facts.glob("vectors/*/part-*.parquet"))
    assert len(kept) == 2
    times = [part.stat().st_mtime_ns for part in kept]
    output = embed(spec, workspace, *pictures.inputs(workspace))
    assert [part.stat().st_mtime_ns for part in kept] == times
    assert vector_bytes(output) == vector_bytes(calm)
    assert not list(workspace.facts.glob("vectors/*/plan.json"))


def test_results_do_not_depend_on_batch_composition(pictures, workspace, tiny_model):
    """A content's vector is the same bits alone as among others: every forward pass has one shape."""
    spec = pictures.spec(model=f"local-dir:{tiny_model}", batch_size=4)
    together = embed(spec, workspace, *pictures.inputs(workspace))
    alone = ImageSet(pictures.root, {"05.png": pictures.files["05.png"]})
    other = Workspace(workspace.home.parent / "other", "dataset")
    single = embed(alone.spec(model=f"local-dir:{tiny_model}", batch_size=4), other, *alone.inputs(other))
    expected, _ = read_vectors(together, pl.Series(alone.hashes()))
    got, _ = read_vectors(single, pl.Series(alone.hashes()))
    assert np.array_equal(got, expected)


def test_float16_storage_keeps_directions(pictures, workspace):
    """storage = float16 writes halves that point where the float32 ones do, under another fingerprint."""
    full = embed(pictures.spec(), workspace, *pictures.inputs(workspace))
    half = embed(pictures.spec(storage="float16"), workspace, *pictures.inputs(workspace))
    assert pq.read_schema(half.parts("vectors")[0]).field("vector").type.value_type == "halffloat"
    hashes = pl.Series(pictures.hashes())
    assert np.allclose(read_vectors(full, hashes)[0], read_vectors(half, hashes)[0], atol=1e-3)
    assert health(half)["norm_median"] == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kind", ["pca", "autoencoder"])
@pytest.mark.parametrize("n", [1, 2])
def test_tiny_and_constant_datasets_have_vectors(tmp_path, workspace, kind, n):
    """One image, or two of the same pixels, get equal finite vectors instead of an error."""
    same = {f"{row}.{name}": encoded(flat_picture(), name) for row, name in zip(range(n), ("png", "bmp"), strict=False)}
    pictures = ImageSet(tmp_path / "p", same)
    output = embed(pictures.spec(kind=kind, dimensions=4), workspace, *pictures.inputs(workspace))
    matrix, found = read_vectors(output, pl.Series(pictures.hashes()))
    assert found.all() or kind == "autoencoder"
    assert np.isfinite(matrix).all()
    assert np.array_equal(matrix[0], matrix[-1])


def flat_picture():
    """A flat picture."""
    from PIL import Image

    return Image.new("RGB", (9, 9), (120, 130, 140))


def test_no_samples_give_empty_tables(tmp_path, workspace):
    """A dataset without samples has no vectors, no rejects, and health rows that say so."""
    empty = ImageSet(tmp_path / "p", {})
    output = embed(empty.spec(), workspace, *empty.inputs(workspace))
    assert output.parts("vectors") == []
    assert output.read("rejects").is_empty()
    assert health(output)["vectors_missing"] == 0


def test_given_vectors_are_checked_and_made_unit_length(tmp_path, workspace):
    """Zeros, gaps and other lengths are rejects and counted; the rest is stored with length 1."""
    given = VectorSet(tmp_path, [[1.0, 2.0, 2.0], [0.0, 0.0, 0.0], [1.0, 2.0], None, [3.0, 4.0, 0.0], [1.0, None, 2.0]])
    output = embed(given.spec(), workspace, *given.inputs(workspace))
    matrix, found = read_vectors(output, pl.Series(given.hashes()))
    assert found.tolist() == [True, False, False, False, True, False]
    assert np.allclose(matrix[[0, 4]], [[1 / 3, 2 / 3, 2 / 3], [0.6, 0.8, 0.0]], atol=1e-6)
    reasons = output.read("rejects")["reason"].to_list()
    assert reasons == ["vector_zero", "vector_wrong_length", "vector_wrong_length", "vector_not_finite"]
    checks = health(output)
    assert (checks["vectors_zero"], checks["vectors_nan"], checks["vectors_wrong_length"]) == (1, 1, 2)
    assert (checks["given_norm_min"], checks["given_norm_max"]) == (0.0, 5.0)


@pytest.mark.parametrize("vectors", [[], [None, None], [[]], [[0.0, 0.0]]])
def test_no_usable_vector_at_all(tmp_path, workspace, vectors):
    """Without one vector of a length above 0 there are rejects and health rows, and no error."""
    given = VectorSet(tmp_path, vectors)
    output = embed(given.spec(), workspace, *given.inputs(workspace))
    assert output.parts("vectors") == []
    assert len(output.read("rejects")) == health(output)["vectors_missing"] == len(vectors)


def test_text_without_known_terms_is_rejected(tmp_path, workspace):
    """An empty text has no direction under lsa; texts of like words lie near each other."""
    texts = TextSet(tmp_path, ["how do I pay", "how can I pay my card", "the weather is fine", "fine weather", ""])
    output = embed(texts.spec(), workspace, *texts.inputs(workspace))
    assert output.read("rejects")["reason"].to_list() == ["vector_zero"]
    from assay.store.files import hash_text

    matrix, _ = read_vectors(output, pl.Series([hash_text(text) for text in texts.texts]))
    assert matrix[0] @ matrix[1] > 0.3 > abs(matrix[0] @ matrix[2])


def test_kind_must_fit_the_modality(pictures, workspace):
    """lsa on images is refused with the kinds that do embed images."""
    with pytest.raises(EmbedderError, match="pca, open_clip, timm, autoencoder"):
        embed(pictures.spec(kind="lsa"), workspace, *pictures.inputs(workspace))
