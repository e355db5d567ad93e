"""Sets of classes as one text, and back."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.labels import canonical, classes_of, join, keeps_apart, tidy

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
