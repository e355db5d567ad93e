"""A column of labels that are sets: lists, or texts split at a separator, as one text a row; or a reason against it."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from assay.sources.columns import Fates, values_of
from assay.sources.label_text import classes_of, keeps_apart, tidy, value_text
from assay.sources.unicode import is_unicode


def set_texts(
    column: Sequence[Any] | pa.Array, fates: Fates, name: str, separator: str, limit: int
) -> list[str | None]:
    """Each row's set as text, classes in the order given; None where it is missing or refused.

    Refused are lists of lists or objects, classes that the separator stands in, what is not Unicode, and more than
    `limit` characters. An empty list, or the separator alone, is the empty set; a list of nothing but nulls and blanks
    says nothing.
    """
    found: list[str | None] = []
    for place, value in enumerate(values_of(column)):
        text, reason, detail = _set_text(value, separator, limit)
        if reason:
            fates.refuse(place, reason, f"{name!r} {detail}")
        found.append(text)
    return found


def _set_text(value: object, separator: str, limit: int) -> tuple[str | None, str, str]:
    """`(text, reason, detail)` of one cell."""
    is_list = isinstance(value, list | tuple)
    given: Sequence[object] = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(entry, list | tuple | dict) for entry in given):
        return None, "nested_label", "holds lists or objects inside a label; wanted a list of names or numbers"
    parts = [text for text in map(value_text, given) if text is not None]
    classes = tidy(parts) if is_list else classes_of("".join(parts), separator)
    if given and (not parts or (is_list and not classes)):
        return None, "", ""
    text = separator.join(parts) if given else separator
    if len(text) > limit:
        return None, "too_large", f"holds {len(text):,} characters, wanted at most {limit:,}"
    if not is_unicode(text):
        return None, "invalid_unicode", "holds bytes that are not UTF-8, or a lone surrogate"
    if not keeps_apart(classes, separator):
        return None, "separator_in_class", f"has {separator!r} in a class; choose another source.label_separator"
    return text, "", ""


def count_lists(column: Sequence[Any] | pa.Array) -> int:
    """How many of a column's values are lists."""
    if isinstance(column, pa.Array) and not pa.types.is_nested(column.type):
        return 0
    return sum(isinstance(value, list | tuple) for value in values_of(column))
