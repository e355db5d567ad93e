"""The plain functions behind the stage, each against an oracle or by hand."""

import numpy as np
import polars as pl
import pytest
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.sparse import csr_array
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from assay.metrics import inputs as metric_inputs
from assay.metrics import pairs, probe, sql, vote
from assay.metrics.corpus import Corpus, edges_frame
from assay.metrics.dataset import dataset
from assay.metrics.groups import groups
from assay.metrics.labels import confident
from assay.metrics.labels.beliefs import case_votes
from assay.metrics.outliers import directions, find, linkage, outliers
from assay.store import units
from tests.metrics.conftest import blobs, exact_neighbors


def corpus_of(vectors: np.ndarray, k: int) -> Corpus:
    """A corpus with its exact graph."""
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [str(i) for i in range(len(vectors))]
    graph = exact_neighbors(vectors, ids, k)
    shape = (len(ids), min(k, len(ids) - 1))
    near = graph["neighbor_id"].cast(pl.Int32).to_numpy().reshape(shape)
    similar = graph["similarity"].to_numpy().reshape(shape)
    frame = pl.DataFrame({"sample_id": ids, "content_hash": ids})
    return Corpus(frame, np.arange(len(ids)), frame["sample_id"], vectors.astype(np.float32), near, similar, "t", 0)


def test_isolation_is_single_linkage():
    """The greatest merge distance of a small cluster around each unit equals SciPy's single linkage on all pairs."""
    rng = np.random.default_rng(0)
    corpus = corpus_of(rng.normal(size=(60, 6)), 15)
    distance = 1.0 - corpus.vectors.astype(np.float64) @ corpus.vectors.T
    merges = scipy_linkage(distance[np.triu_indices(60, 1)], "single")
    members = {i: [i] for i in range(60)}
    expected = np.zeros(60)
    for step, (a, b, height, _) in enumerate(merges):
        for side in (int(a), int(b)):
            if len(members[side]) <= 8:
                expected[members[side]] = np.maximum(expected[members[side]], height)
        members[60 + step] = members[int(a)] + members[int(b)]
    found, cluster = linkage.clusters(linkage.dendrogram(corpus), 8)
    size = np.bincount(cluster)
    assert found == pytest.approx(expected, abs=1e-5)
    assert size.max() <= 8


@pytest.mark.parametrize(("block", "pairs"), [(4, 1e9), (4_096, 1e9), (16, 0)])
def test_a_cluster_without_an_edge_to_the_rest_has_its_true_distance(monkeypatch, block, pairs):
    """Seven near-identical units whose five neighbours are each other stand as far off as they really are; also where
    not all of them can be compared with all."""
    monkeypatch.setattr(linkage, "ISLAND_BLOCK", block)
    monkeypatch.setattr(linkage, "ISLAND_PAIRS", pairs)
    rng = np.random.default_rng(0)
    vectors = np.r_[rng.normal(size=(60, 8)) * 0.2 + np.eye(8)[0], np.eye(8)[3] + 0.001 * rng.normal(size=(7, 8))]
    corpus = corpus_of(vectors, 5)
    found, cluster = linkage.clusters(linkage.dendrogram(corpus), 15)
    nearest = 1.0 - (corpus.vectors[60:] @ corpus.vectors[:60].T).max()
    assert found[60:] == pytest.approx(nearest, abs=1e-5)
    assert set(cluster[60:]) == {cluster[60]} and (cluster == cluster[60]).sum() == 7


def test_a_clump_speaks_only_where_it_is_far_and_dense():
    """Both count, as their geometric mean; one that is only far, only dense, or too small, is left to the views."""
    agreed, far = np.full(6, -1.0), np.array([5.0, 5.0, 2.5, 5.0, 2.56, 1.0])
    dense, size = np.array([5.0, 0.5, 6.4, 5.0, 5.0625, 50.0]), np.array([11, 11, 11, 10, 11, 11])
    expected = [5.0, -1.0, 6 * 4.0 - 21, -1.0, 6 * 3.6 - 21, -1.0]
    assert outliers.combined(agreed, far, dense, size) == pytest.approx(expected)


def test_a_class_of_its_own_is_no_clump_of_junk():
    """Cluster 0 is most of class 5 and mostly that; 1 is of one class that is mostly elsewhere; 2 is of many classes; 3
    carries no labels."""
    cluster = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4])
    label = np.array([5, 5, 5, 6, 7, 7, 5, 6, 7, -1, -1, 7, 7, 7])
    assert outliers.clump_sizes(cluster, label).tolist() == [1, 1, 1, 1, 2, 2, 3, 3, 3, 2, 2, 3, 3, 3]
    assert outliers.clump_sizes(cluster, np.full(14, -1)).tolist() == np.bincount(cluster)[cluster].tolist()


def test_directions_are_measured_as_by_the_formulas():
    """Shrunk covariance as scikit-learn has it; Mahalanobis distances by its inverse; the residual by projection."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_t(3, size=(400, 12)) * np.linspace(2.0, 0.1, 12) + 0.3
    corpus = corpus_of(vectors, 6)
    found = directions.directions(corpus.vectors)
    estimate = LedoitWolf().fit(corpus.vectors.astype(np.float64))
    raw = directions.measured(corpus, found, 4)
    assert raw["mahalanobis"] == pytest.approx(estimate.mahalanobis(corpus.vectors), rel=1e-3)
    inverse = np.linalg.inv(estimate.covariance_)
    for unit in (0, 17, 399):
        apart = corpus.vectors[unit] - corpus.vectors[corpus.neighbors[unit, :4]]
        expected = np.einsum("ij,jk,ik->i", apart, inverse, apart).mean()
        assert raw["mahalanobis_near"][unit] == pytest.approx(expected, rel=1e-3)
    centered = corpus.vectors - corpus.vectors.mean(axis=0)
    values, axes = np.linalg.eigh(centered.T.astype(np.float64) @ centered / 400)
    held = np.cumsum(values[::-1]) / values.sum()
    rest = axes[:, ::-1][:, int(np.searchsorted(held, 0.99)) + 1 :]
    assert raw["residual"] == pytest.approx(((centered @ rest) ** 2).sum(axis=1), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("rare", [True, False])
def test_small_directions_are_heard_where_few_units_have_much_of_them(rare):
    """Directions that a few units have to themselves have heavy tails; those of noise have none."""
    rng = np.random.default_rng(1)
    small = rng.normal(size=(1_000, 30)) * 0.2
    if rare:
        small = np.where(rng.random((1_000, 30)) < 0.02, 5 * small, 0.02 * small)
    vectors = np.c_[rng.normal(size=(1_000, 6)) * 2, small]
    assert (directions.directions(vectors).tails >= directions.HEAVY) == rare


@pytest.mark.parametrize("drifts", [True, False])
def test_order_is_told_by_a_sample(drifts, monkeypatch):
    """Of many units some are looked at, with their neighbours; a ratio near that of all, and no drift where none is."""
    rng = np.random.default_rng(3)
    time = np.arange(3_000)
    vectors = np.c_[np.cos(time / 3_000), np.sin(time / 3_000), rng.normal(size=(3_000, 2)) * 0.3]
    corpus, position = corpus_of(vectors, 10), time if drifts else rng.permutation(3_000)
    within = time * 4 // 3_000
    for within_of in (None, within):
        whole = dataset.order_test(corpus, position, within_of)
        monkeypatch.setattr(dataset, "ORDER_SAMPLE", 150)
        ratio, p = dataset.order_test(corpus, position, within_of)
        monkeypatch.undo()
        assert ratio == pytest.approx(whole[0], abs=0.06) and (p < 0.01) == (whole[1] < 0.01) == drifts


def test_light_tails_are_measured_once(monkeypatch):
    """Once it is known that an embedder's vectors have none that count, their directions are not looked at again."""
    monkeypatch.setattr(directions, "directions", lambda vectors: pytest.fail("measured again"))
    light, heavy = [[float(np.log(tails)), 0.1] for tails in (directions.HEAVY / 2, directions.HEAVY)]
    assert find.directions_of(None, {"tails": light}, dict) == {}
    with pytest.raises(AttributeError):  # there are no vectors
        find.directions_of(None, {"tails": heavy}, dict)


@pytest.mark.parametrize(
    "vectors", [np.ones((300, 5)), np.zeros((0, 5)), np.eye(5)[np.arange(300) % 2], np.ones((10, 5))]
)
def test_vectors_without_directions_have_none(vectors):
    """Equal vectors, none, too few, and those along one line say nothing of directions, and nothing breaks."""
    assert directions.directions(vectors) is None


def test_outliers_are_those_beyond_what_chance_gives():
    """Of 1,000 draws from the normal none; ten far ones beside them are named, and no more than a few others."""
    z = np.random.default_rng(0).normal(size=1_000)
    assert outliers.beyond_chance(z).sum() == 0 and outliers.beyond_chance(z[:0]).tolist() == []
    found = outliers.beyond_chance(np.r_[z, np.full(10, 5.0)])
    assert found[1_000:].all() and found[:1_000].sum() <= 2
    assert outliers.beyond_chance(np.array([3.0, 2.0, -1.0]), 0.5).tolist() == [True, True, False]


def far_share(vectors: np.ndarray, unit: int) -> float:
    """The share of units with a lower combined z than `unit`."""
    corpus = corpus_of(vectors, 50)
    distance = 1.0 - corpus.similarities[:, : outliers.NEIGHBORS].astype(float).mean(axis=1)
    raw, cluster = outliers.measured(corpus, distance)
    z = outliers.outlier_z(raw, np.bincount(cluster)[cluster], outliers.reference_of(raw), outliers.reference_of, {})
    return float((z < z[unit]).mean())


@pytest.mark.parametrize("copies", [0, 1, 2, 4, 14])
def test_near_copies_do_not_hide_an_outlier(copies):
    """A far sample is among the first percent, alone and with near-identical copies that were not collapsed."""
    vectors, _ = blobs(600, dimensions=24, spread=0.5)
    rng = np.random.default_rng(3)
    far = rng.normal(size=24)
    many = far / np.linalg.norm(far) + 1e-4 * rng.normal(size=(copies + 1, 24))
    assert far_share(np.r_[vectors, many], 600) >= 0.99 * 600 / (601 + copies)


def test_tail_score_by_hand():
    """z = 0 scores −log10(½) ÷ 5; three in a thousand scores a half; nothing leaves [0, 1]."""
    assert outliers.tail_score(np.array([0.0]))[0] == pytest.approx(np.log10(2) / 5)
    assert outliers.tail_score(np.array([2.7266]))[0] == pytest.approx(0.4988, abs=2e-3)
    assert outliers.tail_score(np.array([-40.0, 40.0])).tolist() == [0.0, 1.0]


def test_reference_is_kept_and_a_broken_one_replaced(tmp_path):
    """A stored reference comes back unchanged; one that is not JSON gives way to tonight's."""
    first = outliers.stored_reference(tmp_path, "e", {"a": np.arange(1.0, 201.0)}, 200)
    again = outliers.stored_reference(tmp_path, "e", {"a": np.arange(500.0, 900.0)}, 400)
    assert again == first
    next(tmp_path.rglob("reference.json")).write_text("{")
    assert outliers.stored_reference(tmp_path, "e", {"a": np.arange(500.0, 900.0)}, 400) != first


def test_a_measurement_that_the_reference_lacks_is_added_once(tmp_path):
    """A later measurement joins the stored reference and then stays, and the earlier ones are left as they were."""
    first = outliers.stored_reference(tmp_path, "e", {"a": np.arange(1.0, 201.0)}, 200)
    second = outliers.stored_reference(tmp_path, "e", {"a": np.arange(9.0, 99.0), "b": np.arange(1.0, 50.0)}, 300)
    third = outliers.stored_reference(tmp_path, "e", {"b": np.arange(70.0, 99.0)}, 300)
    assert second["a"] == first["a"]
    assert third == second


def test_probe_equals_logistic_regression():
    """Each fold's probabilities are scikit-learn's for the same penalty and the same training rows."""
    vectors, codes = blobs(240, classes=3, dimensions=6, spread=1.5)
    features = probe.principal_axes(vectors)
    fold = probe.stratified_folds(codes, 4, 0)
    problem = probe.Problem(features, np.arange(240), codes, np.ones(240), fold, 3, 4)
    logits = probe.out_of_fold(problem, 0.5, iterations=300)
    found = np.exp(logits - np.logaddexp.reduce(logits, axis=1)[:, None])
    for held in range(4):
        model = LogisticRegression(C=1 / 0.5, tol=1e-8, max_iter=2000).fit(features[fold != held], codes[fold != held])
        assert found[fold == held] == pytest.approx(model.predict_proba(features[fold == held]), abs=0.02)


def test_folds_are_stratified_and_fixed():
    """Every fold has its share of every label, and the same seed gives the same folds."""
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    fold = probe.stratified_folds(labels, 5, 7)
    for label in range(3):
        counts = np.bincount(fold[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1
    assert (fold == probe.stratified_folds(labels, 5, 7)).all()
    assert (fold != probe.stratified_folds(labels, 5, 8)).mean() > 0.5
    assert len(probe.stratified_folds(labels[:0], 5, 7)) == 0


def test_rows_that_come_or_go_leave_the_others_in_their_fold():
    """60 rows more, anywhere, and 100 fewer, in any order: next to none of the others changes its fold."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 6060)
    names = pl.Series([f"content {i}" for i in range(6060)])
    fold = probe.stratified_folds(labels, 5, 0, names)
    for kept in (np.arange(6000), np.sort(rng.permutation(6060)[:5960]), rng.permutation(6060)):
        assert (probe.stratified_folds(labels[kept], 5, 0, names.gather(kept)) == fold[kept]).mean() > 0.97


def test_small_classes_are_spread_over_the_folds():
    """A thousand labels of two rows: a label's two are apart, and the folds are about equally large."""
    fold = probe.stratified_folds(np.repeat(np.arange(1000), 2), 5, 0)
    assert (fold[::2] != fold[1::2]).all()
    assert np.bincount(fold, minlength=5) == pytest.approx(np.full(5, 400), abs=60)


def test_wilson_interval():
    """Wilson's interval of 5 in 50 (from the closed form) and of 0 in 10, which is not a point."""
    low, high = confident.wilson(np.array([0.1, 0.0]), np.array([50.0, 10.0]))
    assert (low[0], high[0]) == pytest.approx((0.0435, 0.2136), abs=1e-3)
    assert low[1] == 0.0 and high[1] == pytest.approx(0.2775, abs=1e-3)


def test_pairs_are_best_and_softmax_per_case():
    """The best pair is the first of equals; softmax sums to one over each case."""
    case, values = np.array([0, 0, 1, 1]), np.array([1.0, 1.0, 0.0, 2.0])
    assert pairs.best(case, values, 2).tolist() == [0, 3]
    assert np.bincount(case, pairs.softmax(case, values, 2)) == pytest.approx([1.0, 1.0])


def test_the_best_pair_is_that_of_a_full_sort():
    """Cases without a pair keep 0, and the first of equal values wins, as a stable sort has it."""
    rng = np.random.default_rng(0)
    case, values = np.sort(rng.integers(1, 40, 150)), rng.integers(0, 4, 150).astype(float)
    order = np.lexsort((np.arange(150), -values, case))
    expected = {int(case[at]): int(at) for at in order[::-1]}
    assert pairs.best(case, values, 41).tolist() == [expected.get(number, 0) for number in range(41)]


def test_pairs_are_looked_up_in_any_order():
    """Values stand at their keys, absent ones are 0; keys of nothing find nothing; keys sort as (row, column) do."""
    key = pairs.keys(np.array([1, 0, 1]), np.array([2, 1, 0]), 3)
    assert key.tolist() == [5, 1, 3]
    assert pairs.look_up(key, np.array([0.5, 0.1, 0.3]), np.array([3, 4, 5, 1])).tolist() == [0.3, 0.0, 0.5, 0.1]
    assert pairs.look_up(key[:0], np.zeros(0), np.array([1, 2])).tolist() == [0.0, 0.0]
    case, label, given = np.array([0, 0, 2]), np.array([1, 2, 0]), np.array([2, 0, -1])
    assert pairs.own(case, label, given, np.array([0.2, 0.8, 1.0])).tolist() == [0.8, 0.0, 0.0]


def test_neighbours_vote_by_their_distance_and_share():
    """Votes are shares of the neighbours' labels times exp(−distance ÷ temperature), own copies where they disagree;
    of each unit they sum to 1."""
    corpus, rng = corpus_of(np.random.default_rng(3).normal(size=(40, 6)), 8), np.random.default_rng(0)
    rows = []
    for unit in range(40):
        if unit % 7 == 0:
            rows.append((unit, -1, 1, 0.0, 1))
        elif unit % 5 == 0:
            rows += [(unit, 0, 2, 2 / 3, 2), (unit, 1, 1, 1 / 3, 2)]
        else:
            rows.append((unit, int(rng.integers(3)), 1, 1.0, 1))
    cases = pl.DataFrame(rows, schema=["unit", "label", "n", "share", "n_values"], orient="row")
    carried = {unit: {label: share for u, label, _, share, _ in rows if u == unit and label >= 0} for unit in range(40)}
    votes = case_votes(corpus, cases, 3, 0.1).toarray()
    for unit in range(40):
        expected = np.zeros(3)
        for other, similarity in zip(corpus.neighbors[unit], corpus.similarities[unit], strict=True):
            for label, share in carried[other].items():
                expected[label] += share * np.exp(-(1 - float(similarity)) / 0.1)
        for label, share in carried[unit].items() if len(carried[unit]) > 1 else ():
            expected[label] += share
        assert votes[unit] == pytest.approx(expected / expected.sum(), abs=1e-6)


def test_off_class_is_the_distance_to_the_mean_of_the_others():
    """Each case against its class without it, weighted by shares, one case at a time; classes of two have none."""
    corpus, rng = corpus_of(np.random.default_rng(0).normal(size=(43, 6)), 5), np.random.default_rng(1)
    given, share = np.r_[np.arange(40) % 3, 3, 3, -1], rng.random(43)
    vectors, expected = corpus.vectors.astype(np.float64), np.full(43, np.nan)
    for label in range(3):
        members = np.flatnonzero(given == label)
        distance = []
        for one in members:
            others = members[members != one]
            center = (vectors[others] * share[others, None]).sum(axis=0)
            distance.append(1.0 - center @ vectors[one] / np.linalg.norm(center))
        expected[members] = distance / np.median(distance)
    found = outliers.off_class_ratio(corpus, np.arange(43), given, share, 4)
    assert found == pytest.approx(expected, abs=1e-5, nan_ok=True)


def test_vendi_counts_different_things():
    """Four orthogonal vectors, each three times, are four things; equal ones are one."""
    assert dataset.vendi_score(np.tile(np.eye(4, dtype=np.float32), (3, 1)))[0] == pytest.approx(4.0)
    assert dataset.vendi_score(np.ones((5, 4), dtype=np.float32) / 2)[0] == pytest.approx(1.0)


def test_spurious_correlation_has_the_majority_as_its_baseline():
    """A property that is the label scores 1; a random one scores near 0, also where one class has 80%."""
    rng = np.random.default_rng(0)
    codes = (rng.random(500) < 0.2).astype(int)
    fold = probe.stratified_folds(codes, 5, 0)
    told = dataset.spurious_correlation(dataset.binned(codes.astype(float)), codes, fold)
    random = dataset.spurious_correlation(dataset.binned(rng.random(500)), codes, fold)
    assert told == pytest.approx(1.0) and random < 0.05
    assert dataset.spurious_correlation(np.zeros(500, dtype=int), np.zeros(500, dtype=int), fold) is None


def test_auc_is_scikit_learns():
    """Ties count half, as scikit-learn counts them; fewer than two of a kind have none."""
    rng = np.random.default_rng(0)
    score, truth = rng.integers(0, 5, 100).astype(float), rng.random(100) < 0.3
    assert groups.auc(score, truth) == pytest.approx(roc_auc_score(truth, score))
    assert np.isnan(groups.auc(score, np.arange(100) == 0))


def test_leace_leaves_no_covariance_with_the_group():
    """After LEACE no direction of the vectors covaries with the group, and the rest is hardly moved."""
    vectors, codes = blobs(400, classes=3, dimensions=10)
    cleaned = groups.leace(vectors, codes).astype(np.float64)
    one_hot = np.eye(3)[codes]
    cross = (cleaned - cleaned.mean(axis=0)).T @ (one_hot - one_hot.mean(axis=0)) / 400
    assert np.abs(cross).max() < 1e-5
    assert np.linalg.matrix_rank(vectors - cleaned, tol=1e-3) <= 2


def test_fewer_samples_than_dimensions_cost_no_large_matrix(monkeypatch):
    """The axes of 30 vectors of 500 numbers keep all their products, LEACE erases the group, and no matrix is taken
    apart that is larger than 30 × 30."""
    vectors, codes = blobs(30, classes=3, dimensions=500)
    sizes, eigh = [], np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: sizes.append(len(matrix)) or eigh(matrix))
    features = probe.principal_axes(vectors).astype(np.float64)
    centered = (vectors - vectors.mean(axis=0)).astype(np.float64)
    products = centered @ centered.T
    assert features @ features.T == pytest.approx(products * 30 / np.trace(products), abs=1e-4)
    cleaned = groups.leace(vectors, codes).astype(np.float64)
    cross = (cleaned - cleaned.mean(axis=0)).T @ (np.eye(3)[codes] - np.eye(3)[codes].mean(axis=0)) / 30
    assert np.abs(cross).max() < 1e-5 and max(sizes) == 30


def test_a_large_graph_says_the_same_from_files(tmp_path, monkeypatch):
    """Beyond a number of edges SQL reads them from files, in the order that they have in memory."""
    corpus = corpus_of(np.random.default_rng(0).normal(size=(70, 8)), 5)
    monkeypatch.setattr(metric_inputs, "EDGES", 100)
    files = metric_inputs.Inputs(None, corpus, {}, tmp_path).edges
    assert len(files) == 4
    assert sql.columns(files).equals(edges_frame(corpus))


def test_votes_are_the_same_in_blocks(monkeypatch):
    """Units are voted on some at a time."""
    rng = np.random.default_rng(0)
    corpus = corpus_of(rng.normal(size=(50, 8)), 5)
    carried = csr_array(np.eye(4)[rng.integers(0, 4, 50)])
    asked = corpus, carried, np.arange(50) % 5 > 0, np.arange(50) % 9 == 0, 0.1
    whole = vote.neighbor_votes(*asked)
    monkeypatch.setattr(vote, "BLOCK", 7)
    assert (vote.neighbor_votes(*asked) != whole).nnz == 0


def test_rows_are_moved_to_the_front_in_place(monkeypatch):
    """What is left of a matrix is what a mask picks, in the memory that it had."""
    monkeypatch.setattr(units, "BLOCK", 4)
    matrix, kept = np.arange(60.0).reshape(20, 3), np.arange(20) % 3 > 0
    expected = matrix[kept].copy()
    found = units.only(matrix, kept)
    assert (found == expected).all() and np.shares_memory(found, matrix)
