"""The `vectors` table read as a matrix, against plain look-ups."""

import numpy as np
import polars as pl
import pytest

from assay.store.stage import StageOutput
from assay.store.vectors import read_vectors, vectors_frame


def stored(tmp_path, *parts: tuple[list[str], np.ndarray], rows_of_a_group: int = 3) -> StageOutput:
    """An output whose `vectors` are some parts, a row group of each so many rows."""
    (tmp_path / "vectors").mkdir()
    for number, (hashes, matrix) in enumerate(parts):
        place = tmp_path / "vectors" / f"part-{number:05d}.parquet"
        vectors_frame(hashes, "test", matrix).write_parquet(place, row_group_size=rows_of_a_group)
    return StageOutput("embed", "key", tmp_path, ("vectors",))


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_every_content_finds_its_vector(tmp_path, kind):
    """In another order, some twice, some that have none; from parts of several row groups, and an empty one."""
    rng = np.random.default_rng(0)
    hashes, matrix = [f"h{i}" for i in range(20)], rng.normal(size=(20, 4)).astype(kind)
    parts = (hashes[:7], matrix[:7]), ([], matrix[:0]), (hashes[7:], matrix[7:])
    wanted = ["absent", *rng.permutation(hashes).tolist(), "h3", "h19", "h3", "gone"]
    vectors, found = read_vectors(stored(tmp_path, *parts), pl.Series(wanted))
    known = dict(zip(hashes, matrix.astype(np.float32), strict=True))
    assert found.tolist() == [name in known for name in wanted]
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, [known.get(name, np.zeros(4)) for name in wanted])


def test_vectors_of_another_length_are_no_others(tmp_path):
    """Parts that disagree in their dimensions are an error, not numbers in the wrong place."""
    parts = (["a", "b"], np.ones((2, 4), dtype=np.float32)), (["c", "d"], np.ones((2, 2), dtype=np.float32))
    with pytest.raises(ValueError, match="shape mismatch"):
        read_vectors(stored(tmp_path, *parts), pl.Series(["d", "c"]))


def test_no_parts_and_nothing_wanted(tmp_path):
    """No part has no dimensions; no content has no rows."""
    vectors, found = read_vectors(stored(tmp_path), pl.Series(["a", "b"]))
    assert vectors.shape == (2, 0) and not found.any()
    (tmp_path / "more").mkdir()
    output = stored(tmp_path / "more", (["a"], np.ones((1, 4), dtype=np.float32)))
    assert read_vectors(output, pl.Series([], dtype=pl.String))[0].shape == (0, 4)
