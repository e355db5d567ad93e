"""Users and items: from a table to a snapshot, what goes wrong in such tables, and what bad ones get."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse

import assay
from assay.contracts.errors import SourceError
from assay.contracts.spec import make_spec
from assay.embedders.als import ALPHA, PENALTY, als, solve
from assay.embedders.pure_svd import pure_svd
from assay.modalities.interactions import hits
from assay.modalities.interactions.example import write_example
from assay.modalities.interactions.facts import measure
from assay.modalities.interactions.reading import read_folder, typical_values
from assay.modalities.interactions.times import as_times
from assay.sources.columns import Fates
from assay.store.workspace import Workspace
from tests.nightly import copied


def spec_of(folder: Path, **further) -> dict:
    source = {"kind": "folder", "path": str(folder)}
    return {"name": "shop", "modality": "interactions", "source": source, "project": {"methods": ["pca"]}, **further}


def read(folder: Path, **further) -> tuple[pl.DataFrame, list, pl.DataFrame, object]:
    """`(samples, refused, interactions, told)` of a folder, without a night around it."""
    found = read_folder(make_spec(spec_of(folder, **further), base=folder), Workspace(folder / "home", "shop"))
    frames, refused = [], []
    for batch in found.batches():
        refused += batch.refused
        if batch.rows:
            frames.append(pl.DataFrame({name: pl.Series(cells, strict=False) for name, cells in batch.columns.items()}))
            assert all(len(one) == 3 for one in found.resolve(batch.columns["uri"], Fates(len(batch.rows))))
    samples = pl.concat(frames, how="diagonal_relaxed")
    tables: dict[str, list] = {}
    for name, frame in found.tables(samples):
        tables.setdefault(name, []).append(frame)
    return samples, refused, pl.concat(tables["interactions"]), found.told


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """The folder of the made shop."""
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="module")
def night(shop):
    """A night of the made shop, and the truth."""
    truth = write_example(shop, 0)
    return assay.run(spec_file(shop), home=shop / "home"), truth


def spec_file(folder: Path) -> Path:
    """A spec of the made shop."""
    path = folder / "shop.toml"
    path.write_text(
        'name = "shop"\nmodality = "interactions"\n[source]\nkind = "folder"\npath = "made-shop"\n'
        '[project]\nmethods = ["pca"]\n'
    )
    return path


@pytest.mark.parametrize(
    ("kind", "metric"),
    [("cold", "cold_start"), ("power_user", "power_user"), ("robot", "robotic"), ("pair_again", "repeated_pair"),
     ("twin", "twin_item"), ("odd_value", "odd_value"), ("future", "time_leak"), ("unlisted", "unlisted_item")],
)  # fmt: skip
def test_what_is_planted_is_found(night, kind, metric):
    """All of it, and at most one other."""
    snapshot, truth = night
    planted = set(truth.filter(kind=kind)["uri"])
    flagged = set(snapshot.table("scores").filter(pl.col("metric") == metric, pl.col("is_issue"))["sample_id"])
    assert planted <= flagged and len(flagged - planted) <= 1


def test_wrong_labels_of_items_are_found(night):
    """Three quarters of the moved labels, mostly right."""
    snapshot, truth = night
    planted = set(truth.filter(kind="wrong_class")["uri"])
    flagged = set(snapshot.table("label_issues").filter("is_issue")["sample_id"])
    assert len(planted & flagged) >= 0.75 * len(planted) and len(planted & flagged) >= 0.8 * len(flagged)


def test_it_foretells_better_than_popularity(night):
    """The published validation: hit@20 of what was held out, half as much again as the most popular items reach."""
    row = night[0].table("embedding_health").filter(pl.col("check") == "hit_at_20").row(0, named=True)
    popular = float(row["wanted"].removeprefix("> "))
    assert row["ok"] and row["value"] >= 1.4 * popular > 0.05


def test_numbers_of_the_whole(night):
    """Users, items, interactions, as counted by hand; nothing is called a copy."""
    snapshot, _ = night
    numbers = dict(snapshot.table("dataset_metrics").select("metric", "value").iter_rows())
    rows = snapshot.table("interactions")
    assert numbers["n_users"] == rows["user"].n_unique() == 700
    assert numbers["interactions"] == len(rows)
    assert numbers["interaction_density"] == pytest.approx(
        len(rows.unique(["user", "item"])) / (700 * numbers["n_items"])
    )
    assert snapshot.table("duplicates").is_empty()
    assert set(snapshot.table("samples")["kind"]) == {"user", "item"}


def test_the_report_and_the_facts_show_everyone(night):
    """A drawing of each, and a report that was written."""
    snapshot, _ = night
    facts = snapshot.table("interaction_facts")
    assert len(facts) == len(snapshot.table("samples")) and facts["thumbnail"].bin.starts_with(b"\xff\xd8").all()
    assert (snapshot.path / "report.html").stat().st_size > 50_000


def test_ids_are_text_and_rows_without_two_are_refused(tmp_path):
    """`01` is not `1`; a row without a user or an item is a reject with its reason."""
    (tmp_path / "interactions.csv").write_text("user,item\n01,a\n1,a\n,b\n2,\n1,b\n")
    samples, refused, rows, _ = read(tmp_path)
    assert {"user:01", "user:1", "user:2", "item:a", "item:b"} - {"user:2"} == set(samples["sample_id"])
    assert [(row, reason) for row, reason, _ in refused] == [(2, "missing_id"), (3, "missing_id")]
    assert rows.select("user", "item").rows() == [("user:01", "item:a"), ("user:1", "item:a"), ("user:1", "item:b")]


@pytest.mark.parametrize(
    ("text", "said"),
    [("who,what\n1,2\n", "columns 'who', 'what'.*wanted one of users"), ("user,what\n1,2\n", "wanted one of items"),
     ("user,item\n,\n", "no row that names"), ("user,item\n", "no row that names")],
)  # fmt: skip
def test_a_table_that_is_none_is_refused(tmp_path, text, said):
    """With what was found and what was wanted."""
    (tmp_path / "interactions.csv").write_text(text)
    with pytest.raises(SourceError, match=said):
        read(tmp_path)


def test_a_folder_without_interactions_is_refused(tmp_path):
    """It names what is there."""
    (tmp_path / "notes.md").write_text("nothing")
    with pytest.raises(SourceError, match=r"no table of interactions.*notes\.md"):
        read(tmp_path)


def test_items_that_nobody_took_are_samples_too(tmp_path):
    """What only the table of items names is cold; what only the interactions name is unlisted."""
    (tmp_path / "interactions.csv").write_text("user,item\n1,a\n2,a\n2,gone\n")
    (tmp_path / "items.csv").write_text("item,label,price\na,fruit,1.5\nb,bread,2\n")
    samples, _, rows, _ = read(tmp_path)
    assert set(samples.filter(kind="item")["sample_id"]) == {"item:a", "item:b", "item:gone"}
    found = measure(rows, samples.with_columns(content_hash=pl.col("sample_id")))
    by_id = {row["sample_id"]: row for row in found.iter_rows(named=True)}
    assert by_id["item:b"]["n_partners"] == 0 and by_id["item:gone"]["n_unlisted"] == 1 == by_id["user:1"]["n_partners"]
    assert by_id["item:a"]["n_unlisted"] == 0 and by_id["user:1"]["n_unlisted"] == 0


def test_facts_by_hand(tmp_path):
    """Counts, repeats, values, gaps and the order of splits of a small table."""
    lines = ["user,item,rating,time,split"]
    lines += [f"a,i{n},4,{1_700_000_000 + 60 * n},train" for n in range(12)]
    lines += ["a,i0,4,1700009999,train", "b,i0,nan,1700000000,test", "b,i1,5,1700000500,train", "c,i1,3,,"]
    (tmp_path / "interactions.csv").write_text("\n".join(lines) + "\n")
    samples, _, rows, _ = read(tmp_path)
    found = measure(rows, samples.with_columns(content_hash=pl.col("sample_id")))
    by_id = {row["sample_id"]: row for row in found.iter_rows(named=True)}
    a, b = by_id["user:a"], by_id["user:b"]
    assert (a["n_interactions"], a["n_partners"], a["n_repeated"]) == (13, 12, 1)
    assert a["median_gap_seconds"] == 60 and a["gap_spread"] > 1 and b["gap_spread"] is None
    assert b["n_odd_values"] == 1 and b["mean_value"] == 5 and b["n_after_test"] == 1 and a["n_after_test"] == 0
    assert by_id["item:i0"]["n_repeated"] == 1 and by_id["user:c"]["first_time"] is None
    assert a["share"] == pytest.approx(13 / 16)


def test_values_that_are_none_cost_themselves(tmp_path):
    """A whole night: an empty cell is no value, a word or NaN one that is odd; infinity too."""
    rng = np.random.default_rng(0)
    lines = ["user,item,rating"] + [f"u{a},i{b},{1 + (a + b) % 5}" for a, b in rng.integers(0, 30, (600, 2))]
    lines += ["u1,i1,", "u2,i2,nan", "u3,i3,many", "u4,i4,inf"]
    (tmp_path / "interactions.csv").write_text("\n".join(lines) + "\n")
    text = 'name = "i"\nmodality = "interactions"\n[source]\nkind = "folder"\npath = "."\n[project]\nmethods = []\n'
    (tmp_path / "spec.toml").write_text(text)
    snapshot = assay.run(tmp_path / "spec.toml", home=tmp_path / "home")
    values = snapshot.table("interactions").sort("row")["value"].to_list()[-4:]
    assert values[0] is None and np.isnan(values[1]) and np.isnan(values[2]) and values[3] == np.inf
    odd = snapshot.table("scores").filter((pl.col("metric") == "odd_value") & pl.col("is_issue"))
    assert {f"user:u{n}" for n in (2, 3, 4)} <= set(odd["sample_id"]) and "user:u1" not in odd["sample_id"].to_list()


MOMENT = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize("given", [
    MOMENT.timestamp(), MOMENT.timestamp() * 1e3, int(MOMENT.timestamp() * 1e6), int(MOMENT.timestamp()) * 10**9,
    str(int(MOMENT.timestamp())), "2024-05-01T12:00:00Z", "2024-05-01 12:00:00", "2024-05-01 12:00", MOMENT,
])  # fmt: skip
def test_times_in_every_unit(given):
    """Seconds to nanoseconds, text and datetimes say one moment."""
    found, lost = as_times([given] * 3)
    assert lost == 0 and found.to_list() == [MOMENT] * 3


def test_one_wrong_time_costs_one_cell():
    """The unit is the median's; what is then in another century is null, and counted."""
    found, lost = as_times([1_700_000_000, 1_700_000_060, 1_700_000_000_000, None])
    assert lost == 1 and found.is_null().to_list() == [False, False, True, True]
    assert as_times(["never", None])[1] == 1 and as_times([None])[0].is_null().all()


def test_typical_values():
    """Ratings by what is common, amounts by their logarithms; a lone value is typical of itself."""
    ratings = np.r_[np.tile([1.0, 2, 3, 4, 5], 100), 99.0, -1.0]
    assert typical_values(ratings) == (1.0, 5.0)
    amounts = np.random.default_rng(0).lognormal(3, 1, 5_000)
    low, high = typical_values(amounts)
    assert low < amounts.min() and amounts.max() < high < 1e9
    assert typical_values(np.array([])) == (-np.inf, np.inf)
    assert typical_values(np.full(10, 7.0)) == (7.0, 7.0)


def two_tastes(users: int = 40, items: int = 24, seed: int = 0) -> tuple[sparse.csr_matrix, np.ndarray]:
    """A graph of users (first) and items, each user with items of one half."""
    rng = np.random.default_rng(seed)
    taken = np.zeros((users, items), dtype=np.float32)
    for user in range(users):
        taken[user, (user % 2) * items // 2 + rng.choice(items // 2, 5, replace=False)] = 1
    whole = np.zeros((users + items,) * 2, dtype=np.float32)
    whole[:users, users:], whole[users:, :users] = taken, taken.T
    return sparse.csr_matrix(whole), np.arange(users + items) < users


def test_a_half_sweep_is_the_formula():
    """(YᵀCY + λI)⁻¹ YᵀCp of each row, written out."""
    graph, side = two_tastes()
    taken = graph[side][:, ~side]
    factors = np.random.default_rng(1).normal(size=(taken.shape[1], 6))
    for row, found in enumerate(solve(sparse.csr_matrix(taken), factors)):
        p = taken[[row]].toarray()[0]
        c = np.diag(1 + ALPHA * p)
        wanted = np.linalg.solve(factors.T @ c @ factors + PENALTY * np.eye(6), factors.T @ c @ p)
        assert found == pytest.approx(wanted)


@pytest.mark.parametrize("embed", [als, pure_svd])
def test_factors_tell_tastes_apart(embed):
    """A user's product with an item of its taste is the larger one; the same seed gives the same factors."""
    graph, side = two_tastes()
    vectors = embed(graph, side, 8, 0)
    products = vectors[side] @ vectors[~side].T
    own = (np.arange(40)[:, None] % 2) == (np.arange(24)[None, :] >= 12)
    assert products[own].mean() > 3 * abs(products[~own].mean())
    assert np.array_equal(vectors, embed(graph, side, 8, 0))


def test_hit_rates_by_hand():
    """As a loop over users counts them: items taken are out, ties count half."""
    rng = np.random.default_rng(3)
    graph, _ = two_tastes(60, 80, 3)
    ids = pl.Series([f"user:{n}" for n in range(60)] + [f"item:{n}" for n in range(80)])
    vectors = rng.normal(size=(140, 4)).astype(np.float32)
    users = np.arange(60)
    items = np.array([60 + int(rng.choice(np.flatnonzero(graph[[u]].toarray()[0, 60:] == 0))) for u in users])
    counted = [0, 0]
    popularity = np.asarray((graph > 0).sum(axis=0)).ravel()[60:]
    for user, item in zip(users, items, strict=True):
        free = [i for i in range(80) if graph[user, 60 + i] == 0]
        for which, score in enumerate((vectors[60:] @ vectors[user], popularity.astype(float))):
            own = score[item - 60]
            rank = sum(score[i] > own for i in free) + (sum(score[i] == own for i in free) - 1) / 2
            counted[which] += rank < hits.K
    assert hits.hit_rates(vectors, graph, ids, users, items) == (counted[0] / 60, counted[1] / 60)


def test_a_grown_table_keeps_its_vectors(shop, night, tmp_path):
    """A few new interactions: who was there keeps the vector of last night, a new user gets the mean of the items'."""
    here, (first, _) = copied(shop, tmp_path / "here"), night
    table = here / "made-shop/interactions.csv"
    table.write_text(
        table.read_text() + "newcomer,item-0001,5,1770000000,train\nnewcomer,item-0002,5,1770000060,train\n"
    )
    second = assay.run(here / "shop.toml", home=here / "home")
    assert second.number == 2
    before, after = (dict(one.table("vectors").select("content_hash", "vector").iter_rows()) for one in (first, second))
    assert before.keys() < after.keys() and len(after) == len(before) + 1
    assert all(np.array_equal(after[name], vector) for name, vector in before.items())
