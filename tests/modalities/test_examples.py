"""The examples that defects are planted into: the same for the same seed, and their truth is what is written."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import SpecError
from assay.contracts.modality import find_modality
from assay.contracts.spec import load_spec
from assay.modalities.image.digits import digit_samples
from assay.modalities.pairs.example import NAMES, write_example
from assay.selftest.example import write_example as write
from assay.selftest.example import write_table
from assay.selftest.plant import Sample
from assay.sources.ingest import ingest
from assay.store.workspace import Workspace


def written(folder: Path) -> dict[str, bytes]:
    """All files but the note of when they were written."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("modality", ["graph", "interactions", "text", "vectors"])
def test_an_example_is_a_source_with_its_truth(tmp_path, monkeypatch, modality):
    """Every kind of defect is planted, in samples that ingest reads; asked for again it is not written again."""
    monkeypatch.setattr("assay.modalities.text.docstrings.PARTS", ("fft", "integrate"))  # all of SciPy takes longer
    data = find_modality(modality)
    spec, truth = write(data, tmp_path / "one")
    read = ingest(load_spec(spec), Workspace(tmp_path / "home", load_spec(spec).name)).read("ingested")
    assert set(truth["kind"]) == set(data.defects)
    named = {"item": truth["uri"], "own": truth["of"].drop_nulls()}
    assert all(set(names) <= set(read["sample_id"]) for names in named.values())
    before = written(tmp_path / "one")
    assert write(data, tmp_path / "one")[1].equals(truth) and written(tmp_path / "one") == before
    moved = truth.drop_nulls("true_label").join(read, left_on="uri", right_on="sample_id")
    assert len(moved) and (moved["label"] != moved["true_label"]).all()


def test_another_seed_is_another_example(tmp_path):
    """And overwrites the first."""
    data = find_modality("interactions")
    _, first = write(data, tmp_path)
    _, second = write(data, tmp_path, seed=1)
    assert not second.equals(first) and pl.read_parquet(tmp_path / "truth.parquet").equals(second)


def test_swapped_captions_say_another_digit(tmp_path):
    """One in twenty; every other caption names its own."""
    truth = write_example(tmp_path, 3)
    table = pl.read_csv(tmp_path / "captioned-digits/captions.csv")
    digit = {sample.name: NAMES[int(sample.label)] for sample in digit_samples(3)}
    wrong = {uri for uri, text in table.select("uri", "text").iter_rows() if digit[uri] not in text}
    assert wrong == set(truth["uri"]) and len(truth) == round(0.05 * len(table))
    assert all((tmp_path / "captioned-digits" / uri).is_file() for uri in table["uri"])


def test_data_without_an_example_name_those_that_have_one(tmp_path):
    """So that the next command works."""
    with pytest.raises(SpecError, match="no example of 'text'; there are .*graph"):
        write(replace(find_modality("text"), example=None), tmp_path)


@pytest.mark.parametrize(("label", "split"), [("a", None), (None, "train"), (None, None), ("a", "b")])
def test_tables_of_samples_have_the_columns_that_say_something(tmp_path, label, split):
    """`label` and `split` only where any sample has one."""
    for content, value in (("text", "x"), ("vector", np.array([1.0, 2.0])), ("file", b"")):
        write_table(content, [Sample("n1", value, label, split)], tmp_path / "t.parquet")
        found = pl.read_parquet(tmp_path / "t.parquet")
        wanted = {"sample_id", {"file": "uri"}.get(content, content)}
        assert set(found.columns) == wanted | ({"label"} if label else set()) | ({"split"} if split else set())
