"""Labels that are sets of classes: the one text that stands for a set, and back.

Where a spec gives `source.label_separator`, a sample carries any number of classes. Its label stays one text: each
class once, sorted by code point, joined by the separator. The separator alone is a sample that carries none; null is
one that nobody labelled.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable


def tidy(names: Iterable[str]) -> list[str]:
    """Names of classes, each once, sorted: NFC, without surrounding white space, the empty ones left out."""
    return sorted({unicodedata.normalize("NFC", name).strip() for name in names} - {""})


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
