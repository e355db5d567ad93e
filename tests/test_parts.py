"""How rows lie in the files of a table."""

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from assay.contracts.tables import empty
from assay.store.parts import PIECE_GROUP_BYTES, write_part
from tests.explorer.make_snapshot import make_tables


@pytest.mark.parametrize(("size", "groups"), [(4_000, 4), (40_000, 8), (20, 1)])
def test_pictures_lie_in_small_groups(tmp_path, size, groups):
    """One is read with a megabyte of others, or 128 of them, and what was written is what is read."""
    facts = make_tables(1_000, seed=0, hostile=False, modality="image", neighbors=2, dimensions=2)["image_facts"]
    pieces = [np.random.default_rng(i).bytes(size) for i in range(len(facts))]
    facts = facts.select(list(empty("image_facts").columns)).with_columns(
        thumbnail=pl.Series(pieces), luminance=pl.lit(b"", dtype=pl.Binary)
    )
    write_part("image_facts", facts, tmp_path / "part.parquet")
    file = pq.ParquetFile(tmp_path / "part.parquet")
    assert file.num_row_groups == groups
    rows = [file.metadata.row_group(i).num_rows for i in range(groups)]
    assert rows[0] * size <= max(PIECE_GROUP_BYTES, 128 * size) and sum(rows) == 1_000
    assert pl.read_parquet(tmp_path / "part.parquet")["thumbnail"].to_list() == pieces
    write_part("image_facts", facts, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "part.parquet").read_bytes()
