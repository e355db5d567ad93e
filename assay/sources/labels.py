"""A column of labels or splits, normalised and counted."""

import polars as pl

from assay.sources.label_text import canonical, classes_of, normalize_label


def normalize_column(values: pl.Series, separator: str = "") -> tuple[pl.Series, int]:
    """A column of labels or splits normalised, and how many of its values that changed.

    With a separator, the values are sets of classes in their canonical text; another order is no change.
    """
    given = values.unique().drop_nulls().to_list()
    if separator:
        twins = {value: canonical(value, separator) for value in given}
        changed = [value for value in given if _is_untidy(value, separator)]
    else:
        twins = {value: normalize_label(value) for value in given}
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
