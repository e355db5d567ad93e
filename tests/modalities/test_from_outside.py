"""A modality that another package brings goes the whole way: spec, night, report, explorer."""

import numpy as np
import polars as pl
import pytest

from assay.contracts import plugins, tables
from assay.contracts.errors import SpecError
from assay.contracts.spec import load_spec
from assay.store.snapshots import verify
from assay.store.workspace import Workspace
from tests.explorer.visit import client_of
from tests.modalities import dna
from tests.nightly import run_nightly

SPEC = """
name = "genes"
modality = "dna"
[source]
kind = "table"
path = "genes.csv"
[project]
methods = ["pca"]
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The package, as if pip had installed it."""
    dna.install(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for cached in (plugins.registered, plugins.load_plugin):
        cached.cache_clear()
    yield
    tables.CONTRACTS.pop("dna_facts", None)
    for cached in (plugins.registered, plugins.load_plugin):
        cached.cache_clear()


def write_genes(folder) -> list[str]:
    """60 sequences of two kinds, a reverse complement, an equal one and one that is no sequence, as a table."""
    rng = np.random.default_rng(0)
    shares = {"rich": [0.1, 0.4, 0.4, 0.1], "poor": [0.4, 0.1, 0.1, 0.4]}
    labels = ["rich", "poor"] * 30
    genes = ["".join(rng.choice(list("ACGT"), 200, p=shares[label])) for label in labels]
    genes += [genes[0][::-1].translate(str.maketrans("ACGT", "TGCA")), genes[1], "ACGU"]
    pl.DataFrame({"text": genes, "label": [*labels, "rich", "poor", "rich"]}).write_csv(folder / "genes.csv")
    (folder / "genes.toml").write_text(SPEC)
    return genes


def test_a_whole_night(tmp_path, installed):
    """Its facts are published, its own rules refuse and confirm, its face is shown."""
    genes = write_genes(tmp_path)
    snapshot = run_nightly(tmp_path / "genes.toml", tmp_path / "home")
    assert verify(snapshot) == []
    assert pl.read_parquet(snapshot.parts("rejects"))["reason"].to_list() == ["not_dna"]
    connection = snapshot.connect()
    assert connection.sql("select count(*), max(n_bases) from dna_facts").fetchall() == [(61, 200)]
    tiers = dict(connection.sql("select tier, count(*) from duplicates where not keep group by tier").fetchall())
    assert tiers["bytes"] == 1
    report = (snapshot.path / "report.html").read_text(encoding="utf-8")
    assert "62 sequences" in report
    client = client_of(Workspace(tmp_path / "home", "genes"))
    answer = client.get("/api/1/sample", params={"id": snapshot.read("samples")["sample_id"][0]})
    assert answer.json()["text"] == genes[0]


def test_a_modality_that_nobody_brings_is_refused(tmp_path):
    """At once, with the list of those that there are."""
    (tmp_path / "spec.toml").write_text(SPEC)
    with pytest.raises(SpecError, match="'dna' is not known.*audio, audio_pairs, graph, image, interactions"):
        load_spec(tmp_path / "spec.toml")


def test_nobody_takes_the_place_of_ours(tmp_path, monkeypatch):
    """A package that registers `image` is not heard."""
    dna.install(tmp_path)
    points = tmp_path / "assay_dna-1.0.dist-info/entry_points.txt"
    points.write_text("[assay.modalities]\nimage = assay_dna:DNA\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.registered.cache_clear()
    assert plugins.registered("assay.modalities")["image"] == plugins.BUILT_IN["assay.modalities"]["image"]
    plugins.registered.cache_clear()
