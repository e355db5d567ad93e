"""Labels as text, and sets of classes as one text and back."""

import datetime

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.sources.columns import Fates, group_column, strings
from assay.sources.label_text import canonical, classes_of, join, keeps_apart, label_texts, tidy, value_text
from assay.sources.labels import normalize_column

names = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="|"), max_size=5), max_size=6)


@given(names)
def test_a_set_comes_back_from_its_text(given_names):
    """Any names without the separator: joined and split again they are the same classes, whatever their order."""
    classes = tidy(given_names)
    text = join(reversed(classes), "|")
    assert classes_of(text, "|") == classes
    assert canonical(text, "|") == text
    assert keeps_apart(classes, "|")


def test_order_repeats_blanks_and_unicode_form_make_no_difference():
    """All of these are one set; its text is sorted and tidy."""
    texts = ["caf\u00e9|tea", "tea|caf\u00e9", " tea |cafe\u0301|tea", "|caf\u00e9||tea|", "tea|caf\u00e9|  "]
    assert {canonical(text, "|") for text in texts} == {"caf\u00e9|tea"}


def test_none_carried_and_none_known_are_two_things():
    """The separator alone, or only blanks around it, is the empty set; an empty text is unlabelled."""
    assert [canonical(text, "|") for text in ("|", " | ", "||")] == ["|"] * 3
    assert [canonical(text, "|") for text in ("", "   ", None)] == [None] * 3
    assert classes_of("|", "|") == [] and join([], "|") == "|"


def test_a_separator_of_two_signs_can_stand_across_names():
    """`a|` and `b` joined by `||` would come back as `a` and `|b`: that is noticed."""
    assert not keeps_apart(["a|", "b"], "||")
    assert keeps_apart(["a", "b"], "||")


@pytest.mark.parametrize(
    "values",
    [
        [" cafe\u0301\u00a0", "tea", "", "  ", None],
        [1, 2, None],
        [1.0, 0.5, float("nan"), 1e20, None],
        [True, False, None],
        [datetime.date(2026, 1, 2), None],
        [datetime.datetime(2026, 1, 2, 3, 4, 5, 6), None],
        [["a", "b"], None],
        [None, None],
    ],
)
def test_a_further_column_becomes_the_labels_that_the_label_column_would(values):
    """A column that holds one annotator's labels is read as a further one, in a type of its own; as text it is what
    `samples.label` would be."""
    column, fates = pa.array(values), Fates(len(values))
    read = [value_text(text) for text in strings(column, fates, "label", 100)]
    label, _ = normalize_column(pl.Series(read, dtype=pl.String))
    assert label_texts(group_column(column, fates, "bob", 100)).to_list() == label.to_list()
