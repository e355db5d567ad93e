"""How DuckDB runs each query of a night with splits, groups, annotators and labels: none compares all pairs of samples,
and none makes many times more rows than it reads."""

from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

import assay
from assay.contracts.modality import find_modality
from assay.contracts.plugins import BUILT_IN
from assay.contracts.tables import CONTRACTS
from assay.metrics.sql import select
from assay.store.decisions import append_decisions, cleaned_samples, effective_decisions, read_decisions
from assay.store.files import hash_text
from assay.store.workspace import Workspace
from tests.nightly import run_nightly
from tests.plans import Step, watched

N, K, CLASSES = 600, 10, 40
MOST = (
    5 * N * K
)  # rows that an operator may give: some times those of the kNN graph, for a sample may carry two classes
FEW = 10  # rows that a loop may go through for each sample: splits, and no classes, groups or samples
MODALITIES = BUILT_IN["assay.modalities"]
FILES = sorted(Path(assay.__file__).parent.rglob("*.sql"))
SPEC = """
name = "planned"
modality = "vectors"
[source]
kind = "table"
path = "planned.parquet"
{source}
[index]
k = 10
[project]
methods = []
[metrics]
{metrics}
"""
KINDS = {
    "classes": ("", 'annotator = "worker"'),
    "sets": ('label_separator = "|"', ""),
}


def write_source(path: Path, sets: bool, seed: int) -> None:
    """N samples in three splits and two columns of groups, a tenth of them copies; `seed` changes a few of them."""
    rng, changed = np.random.default_rng(0), np.random.default_rng(seed)
    code = rng.integers(0, CLASSES, N)
    vectors = (np.eye(CLASSES)[code] + rng.normal(0, 0.15, (N, CLASSES))).astype(np.float32)
    vectors[rng.permutation(N)[: N // 10]] = vectors[: N // 10]
    vectors[changed.permutation(N)[: N // 20]] += 0.01
    code[changed.permutation(N)[: N // 20]] = 0
    label = [f"c{one}|c{one // 2}" if sets else f"c{one}" for one in code]
    pl.DataFrame(
        {
            "sample_id": [f"s{row}" for row in range(N)],
            "vector": vectors.tolist(),
            "label": label,
            "split": rng.choice(["train", "test", "validation"], N),
            "site": [None if row % 50 == 0 else f"site {row % 30}" for row in range(N)],
            "worker": rng.choice(["ann", "bob", "eve"], N),
        }
    ).write_parquet(path)


@pytest.fixture(scope="module")
def steps(tmp_path_factory) -> dict[str, list[Step]]:
    """What was done: in nights of each of KINDS, and for the contents of each modality."""
    folder = tmp_path_factory.mktemp("plans")
    nights = {kind: steps_of_nights(kind, folder / kind) for kind in KINDS}
    return nights | {modality: steps_of_contents(modality, folder) for modality in sorted(MODALITIES)}


def steps_of_nights(kind: str, folder: Path) -> list[Step]:
    """What is done in two nights, with changes and decisions between them."""
    source, metrics = KINDS[kind]
    folder.mkdir()
    (folder / "planned.toml").write_text(SPEC.format(source=source, metrics=metrics))
    with watched() as found:
        for seed in (1, 2):
            write_source(folder / "planned.parquet", kind == "sets", seed)
            snapshot = run_nightly(folder / "planned.toml", folder / "home")
            if seed == 1:
                decide(snapshot)
        samples, duplicates = snapshot.read("samples"), snapshot.read("duplicates")
        standing = effective_decisions(read_decisions(workspace_of(snapshot)), samples)
        assert len(cleaned_samples(samples, duplicates, standing))
    return found


def workspace_of(snapshot):
    """The workspace that a snapshot is in."""
    return Workspace(snapshot.path.parents[2], "planned")


def decide(snapshot) -> None:
    """Somebody decides about half of the samples."""
    samples = snapshot.read("samples")
    for kind, rows in (("keep", samples[: N // 4]), ("reject_label", samples[N // 4 : N // 2])):
        append_decisions(workspace_of(snapshot), rows, kind, None, "kim", snapshot.number)


def facts_frame(table: str, rng: np.random.Generator) -> pl.DataFrame:
    """N rows of a table of facts: every column full, of few different texts and many different numbers."""
    columns = {}
    for name, column in CONTRACTS[table].columns().items():
        kind = column.dtype
        if name == "content_hash":
            columns[name] = pl.Series([hash_text(str(row)) for row in range(N)])
        elif kind.is_numeric():
            columns[name] = pl.Series(rng.integers(0, 100, N)).cast(kind)
        elif kind == pl.Boolean:
            columns[name] = pl.Series(rng.random(N) < 0.5)
        elif kind == pl.String:
            columns[name] = pl.Series(rng.choice(["one", "two", "three"], N))
        else:
            columns[name] = pl.Series([None] * N, dtype=kind)
    return pl.DataFrame(columns)


def steps_of_contents(modality: str, spill: Path) -> list[Step]:
    """What is done for the issues of a modality's contents."""
    facts, rng = find_modality(modality).facts, np.random.default_rng(0)
    if facts is None:
        return []
    frame = facts_frame(facts.table, rng)
    samples = pl.DataFrame(
        {
            "sample_id": [f"s{row}" for row in range(N)],
            "position": range(N),
            "uri": [f"{row}.bin" for row in range(N)],
            "content_hash": frame["content_hash"],
            "label": rng.choice([f"c{code}" for code in range(CLASSES)], N),
            "split": rng.choice(["train", "test"], N),
        }
    )
    with watched() as found:
        for file in [*facts.issues, *([facts.prevalence] if facts.prevalence else [])]:
            select(file, {"samples": samples, facts.table: frame}, spill)
    return found


def quadratic(steps: list[Step]) -> set[tuple[str, str]]:
    """The steps that grow as the square of the samples, or of what stands around them."""
    return {
        (f"{step.kind} of {step.inputs} gives {step.rows}", step.words)
        for step in steps
        if step.rows > MOST or (step.pairs > N * FEW and min(step.inputs[0], step.inputs[-1]) > FEW)
    }


@pytest.mark.parametrize("name", [*KINDS, *sorted(MODALITIES)])
def test_no_query_compares_all_pairs(steps, name):
    """A nested loop over samples is days at a million, and so is an equal join on what thousands have in common."""
    assert quadratic(steps[name]) == set()


def test_every_query_is_looked_at(steps):
    """A file of SQL that nothing above runs would be held to nothing."""
    run = {step.query for each in steps.values() for step in each}
    assert [file.name for file in FILES if file.read_text(encoding="utf-8") not in run] == []


def test_loops_and_explosions_are_seen():
    """Both ways to be quadratic are found, and a join of samples to their splits is not."""
    with watched() as found, duckdb.connect() as connection:
        connection.execute(f"create table samples as select range as i, range % 3 as split from range({N * K})")
        for condition in ("a.i < b.i", "a.split = b.split"):
            before = len(found)
            connection.sql(f"select count(*) from samples as a inner join samples as b on {condition}")
            assert quadratic(found[before:]), condition
        before = len(found)
        connection.sql("select count(*) from samples as a inner join samples as b on a.i = b.i")
        assert found[before:] and not quadratic(found[before:])
