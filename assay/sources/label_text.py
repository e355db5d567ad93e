"""Labels as they are compared: text, Unicode NFC, stripped, empty meaning none; or sets of such classes.

A table may store one class in several ways: 1, 1.0 and "1.0" are one label, and so are true, "True" and "TRUE"
(`value_text`). What is no number is left as it is: 007 and 1.10 are names.

Where a spec gives `source.label_separator`, a sample carries any number of classes. Its label stays one text: each
class once, sorted by code point, joined by the separator. The separator alone is a sample that carries none; null is
one that nobody labelled.
"""

import datetime
import json
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

import polars as pl

WHOLE = re.compile(r"-?(0|[1-9][0-9]*)\.0+")
EXACT = 2**53  # whole numbers beyond this are not exact as decimals
BOOLEANS = frozenset({"True", "TRUE", "False", "FALSE", "true", "false"})


def as_text(value: object) -> str | None:
    """A table's value as text: None and NaN are missing, numbers as Python writes them, nested values as JSON."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=as_text)
    return str(value)


def id_text(value: object) -> str | None:
    """A value that names something: text to the letter, and a number as a whole one also where a gap made it 1.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= EXACT:
        return str(int(value))
    return as_text(value)


def value_text(value: object) -> str | None:
    """A label as a table stores it, whatever the type: whole numbers without decimals, `true` and `false`."""
    text = id_text(value)
    plain = text.strip() if text else ""
    if WHOLE.fullmatch(plain):
        plain = plain.partition(".")[0]
        return "0" if plain == "-0" else plain
    return plain.lower() if plain in BOOLEANS else text


def normalize_label(label: str | None) -> str | None:
    """NFC without surrounding white space; None where nothing is left."""
    return (unicodedata.normalize("NFC", label).strip() or None) if label is not None else None


def label_texts(values: pl.Series) -> pl.Series:
    """A column of any type as labels: each value as text, normalised, as `value_text` spells it."""
    distinct = values.unique()
    normal = [normalize_label(value_text(value)) for value in distinct.to_list()]
    return values.replace_strict(distinct, pl.Series(normal, dtype=pl.String), return_dtype=pl.String)


def tidy(names: Iterable[str]) -> list[str]:
    """Names of classes, each once, sorted: NFC, without surrounding white space, the empty ones left out."""
    return sorted({normal for name in names if (normal := normalize_label(name)) is not None})


def classes_of(text: str, separator: str) -> list[str]:
    """The classes that a text names, as `tidy`."""
    return tidy(text.split(separator))


def join(classes: Iterable[str], separator: str) -> str:
    """The canonical text of a set of classes."""
    return separator.join(sorted(set(classes))) or separator


def canonical(text: str | None, separator: str) -> str | None:
    """The canonical text of a label as given; None where it names no class and does not say so by a separator."""
    if text is None:
        return None
    classes = classes_of(text, separator)
    return join(classes, separator) if classes or separator in text else None


def keeps_apart(classes: list[str], separator: str) -> bool:
    """Whether the canonical text of tidy `classes` gives them back: not where a separator stands in or across names."""
    return classes_of(join(classes, separator), separator) == classes


def count_confusable(labels: list[str]) -> int:
    """Pairs of distinct labels that differ only in case or compatibility form (NFKC, case-folded)."""
    folded = Counter(unicodedata.normalize("NFKC", label).casefold() for label in set(labels))
    return sum(n * (n - 1) // 2 for n in folded.values())
