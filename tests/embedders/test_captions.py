"""Captions as vectors of their words, and how vectors of a tower find their captions again."""

import numpy as np
import polars as pl
import pytest

from assay.contracts.spec import make_spec
from assay.embedders import captions
from assay.embedders.captions import has_captions, plan_captions, write_captions
from assay.modalities.pairs.captions import BY_WORDS, FEWEST, caption_fit
from assay.modalities.pairs.modality import tower_vectors, worth
from assay.store.captions import caption_hashes
from assay.store.stage import StageOutput, run_stage
from assay.store.vectors import vectors_frame
from assay.store.workspace import Workspace
from tests.embedders.conftest import samples_frame, stage_of

ANIMALS = ("cat", "dog", "horse", "whale", "newt")


@pytest.fixture
def spec(tmp_path):
    """A spec of pairs without a tower."""
    values = {"name": "p", "modality": "pairs", "source": {"kind": "table", "path": "t.csv"}, "embed": {"kind": "pca"}}
    return make_spec(values, tmp_path)


def samples_of(texts: list[str | None]) -> pl.DataFrame:
    """A picture a caption."""
    n = len(texts)
    frame = samples_frame(
        [f"{row * 2654435761 % 2**32:08x}{row:024x}" for row in range(n)], [None] * n, "pairs", [1] * n
    )
    return frame.with_columns(text=pl.Series(texts, dtype=pl.String))


def written(spec, workspace: Workspace, texts: list[str | None]) -> StageOutput:
    """The table of the captions' vectors."""
    cleaned = stage_of(workspace, "clean", {"samples": samples_of(texts)})

    def body(writer) -> None:
        write_captions(spec, workspace, cleaned, plan_captions(spec, workspace), writer)

    return run_stage(
        workspace, "embed", version=1, tables=("caption_vectors",), config={"texts": texts}, inputs=[cleaned], body=body
    )


def test_every_caption_has_one_vector_by_its_words(spec, workspace, monkeypatch):
    """In parts; the same words with other blanks are one caption, and a blank one is none."""
    monkeypatch.setattr(captions, "ROWS", 2)
    texts = ["a cat", "a  cat ", None, " ", "a dog", "whale!", "'; drop table x;--", "猫"]
    output = written(spec, workspace, texts)
    found = output.read("caption_vectors")
    assert len(output.parts("caption_vectors")) == 3 and set(found["embedder"]) == {BY_WORDS}
    assert set(found["content_hash"]) == set(caption_hashes(samples_of(texts)).drop_nulls()) and len(found) == 5
    lengths = np.linalg.norm(found["vector"].to_numpy(), axis=1)
    assert lengths == pytest.approx(np.ones(5), abs=1e-5)
    assert tower_vectors(samples_of(texts), output.parts("caption_vectors")) is None


@pytest.mark.parametrize("texts", [[None, " "], ["!!"], ["one"]])
def test_captions_that_are_next_to_nothing(spec, workspace, texts):
    """No row without a caption; signs alone are a vector of zero."""
    if texts:
        assert len(written(spec, workspace, texts).read("caption_vectors")) == len(
            [one for one in texts if (one or "").strip()]
        )
    assert has_captions(spec)


def test_vectors_of_a_tower_go_to_their_captions(tmp_path):
    """By the hash of the words, zero where there is none, whatever order the parts have."""
    samples = samples_of(["a cat", None, "a dog", "a  cat", "unknown"])
    names = caption_hashes(samples)
    parts = []
    for row, vector in ((2, [0.0, 1.0]), (0, [1.0, 0.0])):
        frame = vectors_frame([names[row]], "tower", np.array([vector], dtype=np.float32))
        frame.write_parquet(tmp_path / f"{row}.parquet")
        parts.append(tmp_path / f"{row}.parquet")
    assert tower_vectors(samples, parts).tolist() == [[1, 0], [0, 0], [0, 1], [1, 0], [0, 0]]
    assert tower_vectors(samples, []) is None


def pairs_of(n: int, right: float, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """`n` pictures of five animals with captions, this share of them of the right animal; their vectors."""
    rng = np.random.default_rng(seed)
    shown = rng.integers(5, size=n)
    told = np.where(rng.random(n) < right, shown, rng.integers(5, size=n))
    vectors = np.eye(5, dtype=np.float32)[shown] + rng.normal(0, 0.1, (n, 5)).astype(np.float32)
    return samples_of([f"a {ANIMALS[code]} number {row}" for row, code in enumerate(told)]), vectors


def test_vectors_that_tell_captions_apart_are_worth_more(spec, workspace):
    """Near one where captions are right, near a half where they are of others; nothing is said of too few."""
    none = stage_of(workspace, "embed", {})
    everyone = np.ones(300, dtype=bool)
    good, bad = (worth(*pairs_of(300, right), everyone, none) for right in (1.0, 0.0))
    assert good.name == "caption fit" and good.value > 0.8 and abs(bad.value - 0.5) < 0.08
    assert 0 < good.error < 0.05
    few = np.arange(300) < FEWEST - 1
    assert worth(*pairs_of(300, 1.0), few, none) is None
    blank = samples_of([None] * 300)
    assert worth(blank, pairs_of(300, 1.0)[1], everyone, none) is None


def test_where_all_captions_are_one_nothing_fits_better():
    """A half, without an error."""
    space = np.ones((60, 2), dtype=np.float32)
    assert caption_fit(space, space, ["the same"] * 60, 0) == (0.5, 0.0)
