"""Text facts: each step, each measure against a plain version, and the hostile list."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.contracts.errors import SpecError
from assay.modalities.text import facts as texts
from assay.modalities.text import words
from assay.modalities.text.shingles import shingles
from assay.store.files import hash_text
from assay.store.parts import check

DEFAULT = ("ftfy", "nfc", "control", "whitespace")


def facts(values: list[str | None], steps=DEFAULT, language="en", max_characters=1_000_000):
    hashes = [hash_text(value or f"null {i}") for i, value in enumerate(values)]
    frame = pl.DataFrame({"content_hash": hashes, "text": pl.Series(values, dtype=pl.String)})
    good, bad = texts.text_facts(frame, steps=steps, language=language, max_characters=max_characters)
    return check("text_facts", good), check("failures", bad)


@pytest.mark.parametrize(
    ("raw", "clean", "changes"),
    [
        ("plain words", "plain words", []),
        ("sÃ£o paulo", "são paulo", ["ftfy", "mojibake"]),
        ("good line\nsÃ£o paulo", "good line\nsão paulo", ["ftfy", "mojibake"]),
        ("cafe\u0301", "café", ["nfc"]),
        ("a\x00b\x07c", "abc", ["control"]),
        ("\ufeffmark first", "mark first", ["control"]),
        ("user\u202egnp.exe\u202c", "usergnp.exe", ["control"]),
        ("  two   blanks\t\n\n\n\nlines  ", "two blanks\n\nlines", ["whitespace"]),
        ("👩\u200d👧 family", "👩\u200d👧 family", []),
        ("नमस्ते दुनिया", "नमस्ते दुनिया", []),
        ("lost \ufffd characters", "lost \ufffd characters", ["replacement_character"]),
        ("", "", []),
        ("\x00\x01", "", ["control"]),
    ],
)
def test_default_steps(raw, clean, changes):
    """Each default step does its one thing, says so, and leaves good text alone."""
    assert texts.clean_text(raw, DEFAULT) == (clean, changes)


@pytest.mark.parametrize(
    ("step", "raw", "clean"),
    [
        ("lowercase", "Hello ÄÖ", "hello äö"),
        ("punctuation", "Don't stop, (now)! 5 €", "Dont stop now 5 €"),
        ("stopwords", "the cat is on a mat", "cat mat"),
        ("spelling", "I lost my pasword and Tokn", "I lost my password and Tokn"),
    ],
)
def test_optional_steps(step, raw, clean):
    """The optional steps, on English."""
    assert texts.clean_text(raw, [step], "en") == (clean, [step])


def test_steps_run_in_the_order_given():
    """Lower case before spelling corrects what spelling alone leaves as a name."""
    assert texts.clean_text("Pasword", ["spelling", "lowercase"])[0] == "pasword"
    assert texts.clean_text("Pasword", ["lowercase", "spelling"])[0] == "password"


@pytest.mark.parametrize("step", ["stopwords", "spelling"])
def test_a_language_without_word_lists_is_a_clear_error(step):
    """The message names the key, the value and the known languages."""
    with pytest.raises(SpecError, match=r"clean.language is 'xx'.*known: .*en"):
        facts(["words"], steps=[step], language="xx")


@settings(max_examples=60)
@given(st.text(max_size=60))
def test_any_text_gives_a_row_that_keeps_its_contract(value):
    """Whatever the characters, there is a row; default cleaning is idempotent, and twins share a normalised hash."""
    good, bad = facts([value.encode("utf-8", "replace").decode()])
    assert bad.is_empty() and good.height == 1
    once = good["clean_text"][0]
    steps = ("nfc", "control", "whitespace")
    assert texts.clean_text(texts.clean_text(once, steps)[0], steps)[0] == texts.clean_text(once, steps)[0]
    shouted = f"  {value}\n "
    assert hash_text(texts.normalize_text(shouted)) == hash_text(texts.normalize_text(value))


def test_lone_surrogates_are_replaced_and_recorded():
    """A string that UTF-8 cannot hold does not stop the run."""
    row = texts.measure("bad \ud800 half", DEFAULT, "en")
    assert row["clean_text"] == "bad \ufffd half" and "replacement_character" in row["changes"]


def test_missing_and_overlong_texts_are_failures():
    """Null and longer than the limit: a reason each; the others go on."""
    good, bad = facts(["fine", None, "x" * 101], max_characters=100)
    assert good["text"].to_list() == ["fine"]
    assert bad["reason"].to_list() == ["missing_text", "text_too_long"]


def test_a_huge_cell_takes_seconds_at_most():
    """A megabyte of mojibake, of one letter, and of blanks: measured, not hung."""
    good, _ = facts(["sÃ£o " * 20_000, "a" * 1_000_000, " " * 1_000_000], max_characters=1_000_000)
    assert good.height == 3
    assert good["repetition"][1] > 0.99 and good["n_characters"][2] == 0


@pytest.mark.parametrize(
    ("value", "n_words", "n_tokens"),
    [
        ("Hello, world!", 2, 4),
        ("don't stop", 2, 2),
        ("日本語です", 5, 5),
        ("नमस्ते दुनिया", 2, 2),
        ("a-b 3.5", 4, 6),
        ("", 0, 0),
        ("😀 😀", 0, 2),
    ],
)
def test_words_and_tokens(value, n_words, n_tokens):
    """A word is a run of letters, marks and digits, or one character of an unspaced script; a token also any sign."""
    row = facts([value])[0].row(0, named=True)
    assert (row["n_words"], row["n_tokens"]) == (n_words, n_tokens)


def test_repetition_equals_a_plain_count():
    """One minus distinct over all trigrams; of characters in short texts; null where there is nothing to repeat."""
    assert words.repetition("a b c a b c") == pytest.approx(1 - 3 / 4)
    assert words.repetition("buy now " * 10) == pytest.approx(1 - 2 / 18)
    assert words.repetition("hahahahahahaha") == pytest.approx(1 - 2 / 12)
    assert words.repetition("short") is None
    assert words.repetition("every word here is different") == 0.0


def test_uppercase_and_symbols():
    """Shares of cased letters and of visible characters; null without any."""
    assert texts.uppercase("ABc d1!") == pytest.approx(2 / 4)
    assert texts.uppercase("日本 123") is None
    assert texts.symbols("a$%\u0301 b") == pytest.approx(2 / 5)
    assert texts.symbols(" \n") is None


def test_normalized_hash_ignores_form_case_blanks_and_invisible_marks():
    """Full-width, ligature, case, blanks, zero-width: one text to a reader, one hash."""
    same = ["The ﬁrst  Straße", "THE FIRST STRASSE", "the\u200b first\nstrasse", "Ｔｈｅ first strasse"]
    good, _ = facts(same)
    assert good["normalized_hash"].n_unique() == 1
    assert texts.normalize_text("the first") != texts.normalize_text("thefirst")


def test_minhash_agreement_estimates_the_jaccard_similarity():
    """Over pairs of near and far texts the share of equal values is within 0.15 of the true similarity."""
    base = "i was charged twice for the same card payment at the shop yesterday"
    others = [base, base + " evening", base.replace("twice", "once"), base[:40], "where is my new card"]
    signatures = np.array(texts.minhashes([base, *others]))
    for other, signature in zip(others, signatures[1:], strict=True):
        a, b = set(shingles(base)), set(shingles(other))
        assert abs((signatures[0] == signature).mean() - len(a & b) / len(a | b)) < 0.15
    assert texts.minhashes(["", "ab"])[0] == [] and len(texts.minhashes(["ab"])[0]) == 128


@pytest.mark.parametrize(
    ("value", "language"),
    [
        ("Where is the card that I ordered last week?", "en"),
        ("Wo bleibt meine Karte, die ich letzte Woche bestellt habe?", "de"),
        ("¿Dónde está la tarjeta que pedí la semana pasada?", "es"),
        ("先週注文したカードはどこですか", "ja"),
        ("WHERE IS THE CARD THAT I ORDERED LAST WEEK", "en"),
        ("ok", None),
        ("12345 67890", None),
    ],
)
def test_language(value, language):
    """The language of a sentence; none of a few letters."""
    assert texts.detect_language(value)[0] == language
