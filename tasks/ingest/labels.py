"""Labels as they are compared: Unicode NFC, stripped, empty meaning none; or sets of such classes."""

import datetime
import json
import math
import unicodedata

import polars as pl

from tasks.labels import canonical, classes_of


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


def normalize(label: str | None) -> str | None:
    """NFC without surrounding white space; None where nothing is left."""
    return (unicodedata.normalize("NFC", label).strip() or None) if label is not None else None


def normalize_column(values: pl.Series, separator: str = "") -> tuple[pl.Series, int]:
    """A column of labels or splits normalised, and how many of its values that changed.

    With a separator, the values are sets of classes in their canonical text; another order is no change.
    """
    given = values.unique().drop_nulls().to_list()
    if separator:
        twins = {value: canonical(value, separator) for value in given}
        changed = [value for value in given if _is_untidy(value, separator)]
    else:
        twins = {value: normalize(value) for value in given}
        changed = [value for value, twin in twins.items() if value != twin and value.strip()]
    table = pl.DataFrame(
        {"raw": list(twins), "normal": list(twins.values())}, schema={"raw": pl.String, "normal": pl.String}
    )
    joined = values.alias("raw").to_frame().join(table, on="raw", how="left", maintain_order="left")
    return joined["normal"].alias(values.name), int(values.is_in(changed).sum()) if changed else 0


def _is_untidy(text: str, separator: str) -> bool:
    """Whether a set as given has repeated or empty parts, or classes that NFC or stripping changes."""
    classes = classes_of(text, separator)
    return bool(classes) and sorted(text.split(separator)) != classes


def distinct_classes(labels: pl.Series, separator: str) -> list[str]:
    """The classes that occur in a column of labels, sorted; each label is one where there is no separator."""
    texts = labels.drop_nulls().unique().sort().to_list()
    return sorted({name for text in texts for name in classes_of(text, separator)}) if separator else texts
