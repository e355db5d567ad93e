"""How DuckDB would run each query of a night with splits, groups and labels: nothing compares all pairs of samples."""

import duckdb
import numpy as np
import polars as pl
import pytest

from assay.metrics import inputs as metric_inputs
from assay.metrics import sql
from tests.nightly import run_nightly

QUADRATIC = ("Nested Loop Join", "Blockwise Nl Join", "Piecewise Merge Join", "Cross Product")
OF_A_FEW_ROWS = {"class_measures", "leakage", "split_coverage"}  # their loops are over classes or splits, not samples
SPEC = """
name = "planned"
modality = "vectors"
[source]
kind = "table"
path = "planned.parquet"
[project]
methods = []
"""


@pytest.fixture(scope="module")
def plans(tmp_path_factory) -> dict[str, str]:
    """The plan of each query that a night runs, by the file's name."""
    folder, found = tmp_path_factory.mktemp("plans"), {}
    rng = np.random.default_rng(0)
    n = 2_000
    labels = rng.integers(0, 8, n)
    vectors = (np.eye(16)[labels] + rng.normal(0, 0.25, (n, 16))).astype(np.float32)
    pl.DataFrame(
        {
            "vector": vectors.tolist(),
            "label": [f"c{label}" for label in labels],
            "split": rng.choice(["train", "test", "validation"], n),
            "site": rng.choice(["a", "b", "c"], n),
        }
    ).write_parquet(folder / "planned.parquet")
    (folder / "planned.toml").write_text(SPEC)
    plain = sql.select

    def explained(file, relations, spill, **parameters):
        with duckdb.connect(":memory:", config={"threads": 1}) as connection:
            for name, relation in relations.items():
                if isinstance(relation, list):
                    connection.read_parquet([str(part) for part in relation]).create_view(name)
                else:
                    connection.register(name, relation.to_arrow(compat_level=pl.CompatLevel.oldest()))
            words = "explain " + file.read_text(encoding="utf-8")
            rows = connection.sql(words, params=parameters) if parameters else connection.sql(words)
            found[file.stem] = "\n".join(row[1] for row in rows.fetchall())
        return plain(file, relations, spill, **parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sql, "select", explained)
        patch.setattr(metric_inputs.sql, "select", explained)
        run_nightly(folder / "planned.toml", folder / "home")
    return found


def test_no_query_compares_all_pairs(plans):
    """A nested loop over samples is days at a million; small tables beside large ones are named above."""
    assert {"split_coverage", "leakage", "knn_distance"} <= plans.keys()
    slow = {name: word for name, plan in plans.items() for word in QUADRATIC if word in plan}
    assert {name: word for name, word in slow.items() if name not in OF_A_FEW_ROWS} == {}


def test_coverage_of_splits_joins_by_hash(plans):
    """Its one loop is over pairs of splits."""
    plan = plans["split_coverage"]
    assert plan.count("Hash Join") >= 2 and sum(plan.count(word) for word in QUADRATIC) <= 1
