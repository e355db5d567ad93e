"""Cleaning steps and measurements of one text content → one row of `text_facts`.

The raw text is kept as given; `clean_text` is what the steps of the spec make of it, and what is embedded. How long a
text is, is measured on `clean_text`; what it is like (casing, symbols, repetition, language) on the raw text, since
the steps may remove just that.

A token is a word or any other visible character. A word is a run of letters, marks and digits with inner apostrophes;
scripts that put no blanks between words (Han, kana, Thai, Lao, Khmer, Burmese) count a word a character.
"""

import functools
import unicodedata
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl
import regex
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from assay.contracts.errors import SpecError
from assay.contracts.tables import empty
from assay.modalities.text.repair import damaged_share, fix_encoding, has_mojibake
from assay.modalities.text.shingles import CONTROL, minhashes, normalize_text
from assay.modalities.text.words import WORD, repetition
from assay.store.files import hash_text

if TYPE_CHECKING:
    from spellchecker import SpellChecker

LANGUAGE_CHARACTERS = 4_000  # of a longer text, its beginning tells the language
FEWEST_LETTERS = 8  # under this no language is named

SURROGATE = regex.compile(r"[\ud800-\udfff]")
TOKEN = regex.compile(rf"{WORD.pattern}|\S", regex.V1)
PUNCTUATION = regex.compile(r"(?<=\p{L})['’](?=\p{L})|(\p{P})")
SYMBOL = regex.compile(r"[^\p{L}\p{M}\p{N}\s\p{Cf}]")
CASED = regex.compile(r"[\p{Lu}\p{Ll}]")


def text_facts(
    texts: pl.DataFrame, *, steps: Sequence[str], language: str, max_characters: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Clean and measure many texts.

    Args:
        texts: columns `content_hash`, `text`.
        steps: names of `STEPS`, applied in this order.
        language: ISO 639-1, of the stop words and the spelling dictionary.
        max_characters: longer texts are refused.

    Returns:
        `(facts, failures)`: rows of `text_facts`, and of `failures` for texts that are missing or too long.

    Raises:
        SpecError: there are no stop words or no dictionary for `language`.
    """
    check_language(steps, language)
    rows, failures = [], []
    for content_hash, text in texts.select("content_hash", "text").iter_rows():
        if text is None:
            failures.append((content_hash, "missing_text", "the text is null"))
        elif len(text) > max_characters:
            said = f"{len(text):,} characters; clean.max_text_characters is {max_characters:,}"
            failures.append((content_hash, "text_too_long", said))
        else:
            rows.append({"content_hash": content_hash, **measure(text, steps, language)})
    schema = empty("text_facts").schema
    frame = pl.DataFrame(rows, schema={name: schema[name] for name in schema if name != "minhash"}, orient="row")
    signatures = minhashes(frame["text"].to_list()) if rows else []
    facts = frame.with_columns(pl.Series("minhash", signatures, dtype=pl.List(pl.UInt32)))
    return facts, pl.DataFrame(failures, schema=empty("failures").schema, orient="row")


def measure(text: str, steps: Sequence[str], language: str) -> dict[str, Any]:
    """All of a row of `text_facts` but `content_hash` and `minhash`."""
    damaged = damaged_share(text)
    text = SURROGATE.sub("\ufffd", text)
    cleaned, changes = clean_text(text, steps, language)
    found, confidence = detect_language(text)
    return {
        "text": text,
        "clean_text": cleaned,
        "changes": changes,
        "damaged": damaged,
        "language": found,
        "language_confidence": confidence,
        "n_characters": len(cleaned),
        "n_words": len(WORD.findall(cleaned)),
        "n_tokens": len(TOKEN.findall(cleaned)),
        "repetition": repetition(text),
        "uppercase": uppercase(text),
        "symbols": symbols(text),
        "normalized_hash": hash_text(normalize_text(text)),
    }


def clean_text(text: str, steps: Sequence[str], language: str = "en") -> tuple[str, list[str]]:
    """The text after `steps`, and what they changed: a step's name for each that changed something.

    `mojibake` is added where ftfy undid a wrong decoding, `replacement_character` where U+FFFD says that some
    characters were lost before we saw the text.
    """
    changes = []
    for step in steps:
        before = text
        text = STEPS[step](text, language)
        if text != before:
            changes.append(step)
            if step == "ftfy" and has_mojibake(before):
                changes.append("mojibake")
    if "\ufffd" in text:
        changes.append("replacement_character")
    return text, changes


def normalize_unicode(text: str, _: str = "") -> str:
    """NFC."""
    return unicodedata.normalize("NFC", text)


def remove_control(text: str, _: str = "") -> str:
    """Without control characters (but tab and line breaks), bidi controls, invisible blanks and non-characters."""
    return CONTROL.sub("", text)


def collapse_whitespace(text: str, _: str = "") -> str:
    """One blank between words, no blanks at line ends, at most one empty line in a row; stripped."""
    text = regex.sub(r"\r\n?|[\x85\u2028\u2029]", "\n", text)
    text = regex.sub(r"[^\S\n]+", " ", text)
    return regex.sub(r"\n{3,}", "\n\n", regex.sub(r" ?\n ?", "\n", text)).strip()


def lowercase(text: str, _: str = "") -> str:
    """Lower case."""
    return text.lower()


def remove_punctuation(text: str, _: str = "") -> str:
    """Punctuation becomes a blank, an apostrophe within a word nothing; symbols and emoji stay."""
    return _respaced(PUNCTUATION.sub(lambda match: " " if match[1] else "", text))


def remove_stopwords(text: str, language: str) -> str:
    """Without the stop words of `language` (stopwords-iso)."""
    stop = _stopwords(language)
    return _respaced(WORD.sub(lambda match: "" if match[0].casefold() in stop else match[0], text))


def correct_spelling(text: str, language: str) -> str:
    """Unknown lower-case words of four to twenty letters become the most frequent word one edit away, if there is one.

    Words with capitals or digits are names or codes and stay.
    """
    return WORD.sub(lambda match: _corrected(match[0], language), text)


STEPS: dict[str, Callable[[str, str], str]] = {
    "ftfy": fix_encoding,
    "nfc": normalize_unicode,
    "control": remove_control,
    "whitespace": collapse_whitespace,
    "lowercase": lowercase,
    "punctuation": remove_punctuation,
    "stopwords": remove_stopwords,
    "spelling": correct_spelling,
}


def check_language(steps: Sequence[str], language: str) -> None:
    """Raise `SpecError` unless there are the word lists of `language` that `steps` need."""
    if "stopwords" in steps and not _stopwords(language):
        import stopwordsiso

        known = ", ".join(sorted(stopwordsiso.langs()))
        raise SpecError(f"clean.language is {language!r}, which has no stop words; known: {known}")
    if "spelling" in steps:
        _spelling(language)


def uppercase(text: str) -> float | None:
    """Share of cased letters in upper case; null without any."""
    cased = "".join(CASED.findall(text))
    return sum(map(str.isupper, cased)) / len(cased) if cased else None


def symbols(text: str) -> float | None:
    """Share of visible characters that are neither letter, mark nor digit; null without any."""
    n = len(regex.sub(r"[\s\p{Cf}]+", "", text))
    return len(SYMBOL.findall(text)) / n if n else None


def detect_language(text: str) -> tuple[str | None, float | None]:
    """ISO 639-1 code and probability by langid's naive Bayes; `(None, None)` under eight letters."""
    text = text[:LANGUAGE_CHARACTERS]
    if len(regex.findall(r"\p{L}", text)) < FEWEST_LETTERS:
        return None, None
    language, confidence = _identifier().classify(text.lower() if text.isupper() else text)
    return (language, min(max(float(confidence), 0.0), 1.0)) if language else (None, None)


def _respaced(text: str) -> str:
    return regex.sub(r"[^\S\n]+", " ", text).strip()


@functools.cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@functools.cache
def _stopwords(language: str) -> frozenset[str]:
    import stopwordsiso

    return frozenset(stopwordsiso.stopwords(language)) if stopwordsiso.has_lang(language) else frozenset()


@functools.cache
def _spelling(language: str) -> "SpellChecker":
    from spellchecker import SpellChecker

    try:
        return SpellChecker(language=language, distance=1)
    except ValueError:
        known = ", ".join(sorted(SpellChecker.languages()))
        raise SpecError(f"clean.language is {language!r}, which has no spelling dictionary; known: {known}") from None


@functools.lru_cache(maxsize=100_000)
def _corrected(word: str, language: str) -> str:
    spelling = _spelling(language)
    if not (4 <= len(word) <= 20 and word.isalpha() and word.islower()) or word in spelling:
        return word
    candidates = spelling.known(spelling.edit_distance_1(word))
    return min(candidates, key=lambda other: (-spelling.word_usage_frequency(other), other), default=word)
