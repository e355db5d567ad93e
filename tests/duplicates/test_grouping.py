"""Stars around medoids, and the kept member."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.duplicates.grouping import best_of_group, star_groups
from assay.modalities.tier import first_of_equal


@st.composite
def weighted_graphs(draw):
    n = draw(st.integers(1, 15))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] < p[1])
    edges = draw(st.lists(pairs, unique=True, max_size=30)) if n > 1 else []
    weights = draw(st.lists(st.sampled_from([0.9, 0.95, 1.0]), min_size=len(edges), max_size=len(edges)))
    return n, edges, weights


def arrays(edges, weights):
    left, right = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    return left, right, np.array(weights, dtype=np.float64)


@given(weighted_graphs())
def test_every_member_is_tied_to_its_medoid(graph):
    """No sample is grouped through a chain: it has a pair with its medoid, and medoids stand alone."""
    n, edges, weights = graph
    medoid = star_groups(n, *arrays(edges, weights))
    for node in range(n):
        assert medoid[medoid[node]] == medoid[node]
        assert medoid[node] == node or (min(node, medoid[node]), max(node, medoid[node])) in edges


@given(weighted_graphs())
def test_no_paired_sample_is_left_alone_beside_a_medoid(graph):
    """A sample that is its own medoid has no pair with another medoid."""
    n, edges, weights = graph
    medoid = star_groups(n, *arrays(edges, weights))
    assert not any(medoid[a] == a and medoid[b] == b for a, b in edges)


@given(weighted_graphs(), st.randoms())
def test_order_and_direction_of_pairs_do_not_matter(graph, random):
    """The same pairs in another order, turned round, give the same groups."""
    n, edges, weights = graph
    mixed = [((b, a) if random.random() < 0.5 else (a, b), w) for (a, b), w in zip(edges, weights, strict=True)]
    random.shuffle(mixed)
    again = star_groups(n, *arrays([e for e, _ in mixed], [w for _, w in mixed]))
    assert again.tolist() == star_groups(n, *arrays(edges, weights)).tolist()


def test_a_chain_is_cut():
    """0–1–2–3–4: two stars, not one group of five."""
    medoid = star_groups(5, *arrays([(0, 1), (1, 2), (2, 3), (3, 4)], [1.0] * 4))
    assert medoid.tolist() == [1, 1, 1, 3, 3]


def test_a_member_joins_its_most_similar_medoid():
    """Between two stars the stronger pair decides, not the earlier medoid."""
    edges = [(0, 1), (0, 2), (0, 3), (3, 4), (4, 5), (4, 6)]
    medoid = star_groups(7, *arrays(edges, [0.9, 0.9, 0.9, 0.99, 0.9, 0.9]))
    assert medoid[3] == 4


def test_first_of_equal():
    """Equal codes point at their first; −1 is equal to nothing."""
    assert first_of_equal(np.array([5, -1, 5, 2, -1, 2])).tolist() == [0, 1, 0, 3, 4, 3]
    assert first_of_equal(np.zeros(0, dtype=np.int64)).tolist() == []


def test_best_of_group():
    """The member with the lowest preference stands for its group."""
    group, preference = np.array([0, 0, 2, 0, 2]), np.array([3, 1, 4, 2, 0])
    assert best_of_group(group, preference).tolist() == [1, 1, 4, 1, 4]


@given(weighted_graphs(), st.randoms())
def test_by_preference_the_centre_is_what_the_group_keeps(graph, random):
    """Whoever is called a copy has a pair with the member that stays, which is the best liked of the group."""
    n, edges, weights = graph
    order = random.sample(range(n), n)
    centre = star_groups(n, *arrays(edges, weights), np.array(order))
    assert best_of_group(centre, np.array(order)).tolist() == centre.tolist()
    for node in range(n):
        assert centre[node] == node or (min(node, centre[node]), max(node, centre[node])) in edges
