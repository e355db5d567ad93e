"""What two texts have to do with each other, pair by pair, and what is common to many."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.modalities.text.comparison import Relation, relation
from assay.modalities.text.fingerprints import PASSAGE, RUN, WINDOW, common_spans, fingerprint, passage_pairs
from assay.modalities.text.shingles import normalize_text
from assay.modalities.text.texts import TextPairs
from assay.modalities.text.tokens import MOST_TOKENS, read_text

NEWS = (
    "Police said on Monday that 3 people were killed in Graz when a lorry hit a parked bus near the market square, and "
    "that the driver had fled on foot. Two of the victims were pupils on their way to school."
)
CODE = "def area(width, height):\n    if width < 0:\n        raise ValueError(width)\n    return width * height + 1\n"


def related(one: str, other: str) -> Relation:
    texts = [read_text(text, normalize_text(text)) for text in (one, other)]
    assert relation(*texts) == relation(*texts[::-1])
    return relation(*texts)[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (NEWS, NEWS.upper()),
        (NEWS, NEWS.replace(",", " —").replace(".", "!")),
        (NEWS, NEWS.replace("killed", "kiled").replace("parked", "parkde")),
        (NEWS, NEWS.replace("market square", "marketsquare")),
        (NEWS, "  " + NEWS.replace(" ", "\n")),
    ],
)
def test_the_same_word_for_word(one, other):
    """Case, punctuation, blanks and errors of typing make no other text."""
    assert related(one, other) is Relation.SAME


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3 people", "13 people"),
        ("3 people", "300 people"),
        ("Two of", "Four of"),
        ("Graz", "Linz"),
        ("Monday", "Tuesday"),
    ],
)
def test_another_number_or_name_is_another_text(old, new):
    """However much of the rest is shared: neither collapsed nor reported."""
    assert related(NEWS, NEWS.replace(old, new)) is Relation.NEITHER


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The train stops at 5 pm, at -5 degrees", "The train stops at 5 pm, at 5 degrees"),
        ("The area of the square is 10² metres", "The area of the square is 102 metres"),
        ("The bottle holds 3.5 litres of clean water", "The bottle holds 35 litres of clean water"),
        ("Austria beat Germany in the final on Sunday", "Germany beat Austria in the final on Sunday"),
        ("I want my money back for the ticket", "I do not want my money back for the ticket"),
        ("is the blue shirt still in stock", "is the red shirt still in stock"),
        ("他昨天在北京买了三本书和一支笔", "他昨天在上海买了三本书和一支笔"),
        ("ร้านนี้เปิดให้บริการมาเกือบสิบปีแล้วที่เชียงราย", "ร้านนี้เปิดให้บริการมาเกือบสิบปีแล้วที่ขอนแก่น"),
        (CODE, CODE.replace("+ 1", "- 1")),
        (CODE, CODE.replace("width < 0", "width > 0")),
        ("Flights from Slovakia to Vienna are cancelled", "Flights from Slovenia to Vienna are cancelled"),
    ],
)
def test_a_small_difference_that_matters_is_not_collapsed(one, other):
    """A sign, an operator, an order, a `not`, a colour, a town in any script: not the same text."""
    assert related(one, other) is not Relation.SAME


@pytest.mark.parametrize("share", [0.8, 0.7, 0.5, 0.3])
@pytest.mark.parametrize("end", ["head", "tail"])
def test_a_cut_text_is_contained_in_the_whole(share, end):
    """Cut anywhere, within a word as well, from either end."""
    n = int(len(NEWS) * share)
    assert related(NEWS, NEWS[:n] if end == "head" else NEWS[-n:]) is Relation.CONTAINED


def test_a_quoted_text_is_contained_in_the_reply():
    """Line by line with marks in front, and words before and after."""
    lines = NEWS.replace(". ", ".\n").replace(", ", ",\n").split("\n")
    front, behind = (
        "Thank you for this, my comments are below the text.",
        "What do you all make of it? Regards, as ever",
    )
    assert related(NEWS, "\n".join([front, *("> " + line for line in lines), behind])) is Relation.CONTAINED
    assert related(NEWS, f"{front} {NEWS} {behind}") is Relation.CONTAINED


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "I can change the PIN of my new card in the app today",
            "I can not change the PIN of my new card in the app today",
        ),
        ("The letter was from Anna's brother in the old town", "The letter was from Eva's brother in the old town"),
    ],
)
def test_a_denial_or_another_name_is_another_text(one, other):
    """A `not` more, a name with an ending: neither collapsed nor reported."""
    assert related(one, other) is Relation.NEITHER


def test_what_is_beyond_the_words_aligned_counts():
    """Two very long texts that differ after the last aligned word are not the same; a copy of one is."""
    text = "word " * MOST_TOKENS + "and here it ends with 3 apples"
    assert related(text, text.upper()) is Relation.SAME
    assert related(text, text.replace("3", "4")) is not Relation.SAME


def test_an_error_that_many_make_is_still_one():
    """Told by how rare a form is beside the other; two words that are both usual are two words."""
    counts = {"what": 900, "waht": 6, "ticket": 60, "tickets": 40}
    texts = [read_text(text, text) for text in ("waht is the fee for a ticket", "what is the fee for a ticket")]
    other = read_text("what is the fee for a tickets", "what is the fee for a tickets")
    assert relation(*texts, lambda word: counts.get(word, 1))[0] is Relation.SAME
    assert relation(texts[1], other, lambda word: counts.get(word, 1))[0] is not Relation.SAME


def test_words_scattered_over_a_long_text_are_not_contained_in_it():
    """All words of a sentence stand somewhere in a page, but not together."""
    rng = random.Random(0)
    words = [f"word{i}" for i in range(60)]
    page = " ".join(rng.choice(words) for _ in range(600))
    assert related(" ".join(words[:14]), page) is Relation.NEITHER


def test_an_edited_text_is_nearly_the_same():
    """A word left out, a clause left out, a word put otherwise."""
    for edited in (
        NEWS.replace("parked ", ""),
        NEWS.replace("near the market square, ", ""),
        NEWS.replace("lorry", "truck"),
    ):
        assert related(NEWS, edited) is Relation.NEARLY


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts_can_be_compared(one, other):
    """Symmetric, in range, and a text is the same as itself unless nothing can be read in it."""
    texts = [read_text(text, normalize_text(text)) for text in (one, other)]
    what, value = relation(*texts)
    assert relation(*texts[::-1]) == (what, value) and 0 <= value <= 1
    assert relation(texts[0], texts[0])[0] is Relation.SAME or not texts[0].words


def prompts(n: int, front: str, behind: str = "") -> list[str]:
    """`n` different questions with one text around them."""
    rng = random.Random(3)
    words = (
        "rice river market teacher garden letter window winter paper kitchen bridge doctor island music coffee".split()
    )
    return [front + " ".join(rng.sample(words, 7)) + behind for _ in range(n)]


FRONT = "You are a careful assistant. Answer in three sentences at most and never invent a number. "


def test_what_many_texts_share_is_found_and_no_more():
    """The passage in front of all texts is common from its first character to its last; nothing of the questions is."""
    texts = [normalize_text(text) for text in prompts(40, FRONT)]
    spans = common_spans(fingerprint(texts), np.array([len(text) for text in texts]))
    for number, text in enumerate(texts):
        ((begin, end),) = spans[number]
        assert begin == 0 and len(FRONT) - WINDOW <= end <= len(FRONT) + 6, text[begin:end]
    few = [normalize_text(text) for text in prompts(7, FRONT)]
    assert common_spans(fingerprint(few), np.array([len(text) for text in few])) == {}


@given(st.lists(st.text(alphabet="abcdef ", min_size=0, max_size=80), min_size=2, max_size=6), st.integers(0, 5))
def test_a_shared_passage_has_a_shared_fingerprint(texts, place):
    """Of any two texts with a passage of RUN + WINDOW − 1 characters in common, and none of them across texts."""
    passage = "the quick brown fox jumps over the lazy dog"[: RUN + WINDOW - 1]
    found = fingerprint([text[:place] + passage + text[place:] for text in texts])
    shared = set(found.value[found.text == 0].tolist())
    for number in range(1, len(texts)):
        assert shared & set(found.value[found.text == number].tolist())
    alone = fingerprint(texts)
    for number, text in enumerate(texts):
        mine = fingerprint([text])
        assert sorted(alone.value[alone.text == number].tolist()) == sorted(mine.value.tolist())
        assert sorted(alone.place[alone.text == number].tolist()) == sorted(mine.place.tolist())


def test_rare_passages_propose_pairs_and_common_ones_do_not():
    """Under a prompt that all share only the two with one question meet."""
    texts = [normalize_text(text) for text in prompts(60, FRONT)]
    texts.append(texts[17].replace("garden", "gardne") + " please")
    left, right = passage_pairs(fingerprint(texts))
    pairs = set(zip(left.tolist(), right.tolist(), strict=True))
    assert (17, 60) in pairs and len(pairs) < 30
    assert len(FRONT) > PASSAGE


def test_a_template_decides_nothing():
    """Different questions under one prompt and footer are different; a copy with an error of typing is the same, and
    one without the prompt is contained."""
    texts = prompts(60, FRONT, "\n\nThis message is confidential and meant only for the person named above.")
    question = texts[5][len(FRONT) : -70]
    texts += [texts[3].replace("bridge", "brigde").replace("market", "markte").replace("coffee", "cofefe"), question]
    pairs = TextPairs(texts, np.arange(len(texts)))
    left, right = np.triu_indices(len(texts), 1)
    what, _ = pairs.relations(left, right)
    found = {(a, b): one for a, b, one in zip(left.tolist(), right.tolist(), what, strict=True) if one.value < 3}
    assert found == {(3, 60): Relation.SAME, (5, 61): Relation.CONTAINED}
