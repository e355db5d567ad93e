"""A filter has a shape: every other is refused with what was wanted, and what asks for nothing is left out."""

import pytest

from assay.reading.filters import MOST_COLUMNS, MOST_NAMES, MOST_SIMILAR, MOST_STROKES, MOST_WORDS, FilterError, checked

POINTS = {"method": "umap", "points": [[0, 0], [1, 0], [1, 1]]}


@pytest.mark.parametrize("part", [
    {"lasso": POINTS}, {"lasso": [POINTS, POINTS | {"how": "subtract"}]}, {"lasso": [POINTS] * MOST_STROKES},
    {"ranges": {"scores.dark": [0, 0.5]}}, {"ranges": {str(i): [0, 1] for i in range(MOST_COLUMNS)}},
    {"values": {"label": ["cat", None, ""]}}, {"hidden": {"label": []}}, {"carries": ["cat"]}, {"flags": ["dark"]},
    {"cell": ["cat", None]}, {"text": "x" * MOST_WORDS}, {"similar": {"id": "a"}},
    {"similar": {"id": "", "k": MOST_SIMILAR}},
    {"words": {"text": "a dog", "k": 1}}, {"picture": {"name": "x"}}, {"ids": []}, {"ids": ["a"]},
])  # fmt: skip
def test_what_has_the_shape_passes_as_it_is(part):
    """Up to the most of everything."""
    assert checked(part) == part


@pytest.mark.parametrize("part, wanted", [
    ({"lasso": 3}, "strokes"), ({"lasso": [POINTS] * (MOST_STROKES + 1)}, "at most 60 strokes"),
    ({"lasso": [[1, 2]]}, "strokes"),
    ({"lasso": POINTS | {"how": "xor"}}, "strokes"), ({"lasso": {"method": 1, "points": []}}, "strokes"),
    ({"lasso": {"method": "umap"}}, "strokes"),
    ({"ranges": {"a": [0]}}, "two finite numbers"), ({"ranges": {"a": [0, True]}}, "two finite numbers"),
    ({"ranges": {"a": [0, float("nan")]}}, "two finite numbers"), ({"ranges": {"a": ["0", 1]}}, "two finite numbers"),
    ({"ranges": [0, 1]}, "two finite numbers"), ({"ranges": {str(i): [0, 1] for i in range(MOST_COLUMNS + 1)}},
    "at most 100"),
    ({"values": ["cat"]}, "for each of at most 100 columns"), ({"values": {"label": "cat"}},
    "a list of at most 100,000"),
    ({"hidden": {"label": [1.5]}}, "a list of at most 100,000"), ({"carries": "cat"}, "names"),
    ({"flags": [None]}, "names"),
    ({"ids": ["a"] * (MOST_NAMES + 1)}, "at most 100,000 names"), ({"ids": "a"}, "names"),
    ({"cell": ["a"]}, "suggested label"),
    ({"cell": ["a", 2]}, "suggested label"), ({"text": ["a"]}, "a text"),
    ({"text": "x" * (MOST_WORDS + 1)}, "2,000 characters"),
    ({"similar": "a"}, "a sample's id"), ({"similar": {"id": 3}}, "a sample's id"),
    ({"similar": {"id": "a", "k": 0}}, "1 to 10,000"),
    ({"similar": {"id": "a", "k": True}}, "1 to 10,000"), ({"similar": {"id": "a", "k": MOST_SIMILAR + 1}},
    "1 to 10,000"),
    ({"words": {"text": None}}, "characters"), ({"words": {"text": "a", "k": 1.5}}, "1 to 10,000"),
    ({"picture": {"id": "a"}}, "a picture"),
    ({"where": "1=1"}, "a filter has the keys"), ([], "a filter has the keys"), ("label", "a filter has the keys"),
    (None, "keys"),
])  # fmt: skip
def test_what_has_not_is_refused_with_what_was_wanted(part, wanted):
    """Before anything is selected; what was found is repeated, and never in full length."""
    with pytest.raises(FilterError, match=wanted) as caught:
        checked(part)
    assert len(str(caught.value)) < 500


def test_a_part_that_asks_for_nothing_is_none():
    """But no ids are nothing, where no other condition is everything."""
    assert checked({"text": "", "values": {}, "lasso": [], "flags": None, "ids": None, "cell": []}) == {}
    assert checked({"ids": [], "text": ""}) == {"ids": []}
