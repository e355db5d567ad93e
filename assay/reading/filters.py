"""A filter as plain JSON, and whether it has the shape of one. Every part narrows:

{"lasso": [{"method": "umap", "points": [[x, y], …], "matrix": [[…3], […3]] or absent,
            "how": "add" or "subtract" or absent}, …],
 "ranges": {"scores.outlier": [0.5, 1.0]},    "values": {"label": ["cat", null]},    "hidden": {"label": ["dog"]},
 "carries": ["cat", "dog"],                   "flags": ["outlier"],
 "cell": ["given label", "suggested label"],
 "text": 'each of these "or phrases" in any column',
 "similar": {"id": "sample id", "k": 200, "within": true or absent},
 "words": {"text": "a red car", "k": 200},    "picture": {"name": "digest", "k": 200},    "ids": ["sample id", …]}

Strokes of a lasso add up in their order: the first chooses, later ones add to it or take away from it.
"""

import math
from typing import Any

MOST_WORDS = 2_000  # characters that are searched for
MOST_COLUMNS = 100
MOST_NAMES = 100_000  # of one list
MOST_SIMILAR = 10_000
MOST_STROKES = 60  # of a lasso


class FilterError(ValueError):
    """The filter is not one; the message says what was found and what was wanted."""


def checked(wanted: object) -> dict[str, Any]:
    """The parts of a filter that ask for something.

    Raises:
        FilterError: an unknown key, or a value of the wrong shape or size.
    """
    if not isinstance(wanted, dict) or set(wanted) - set(_SHAPES):
        raise FilterError(f"a filter has the keys {sorted(_SHAPES)}; got {str(wanted)[:200]}")
    parts = {key: value for key, value in wanted.items() if value or (key == "ids" and value is not None)}
    for key, value in parts.items():
        problem = _SHAPES[key](value)
        if problem:
            raise FilterError(f"`{key}` is {str(value)[:100]!r}; wanted {problem}")
    return parts


def _names(value: object) -> str:
    good = isinstance(value, list) and len(value) <= MOST_NAMES and all(isinstance(name, str) for name in value)
    return "" if good else f"a list of at most {MOST_NAMES:,} names"


def _names_of_columns(value: object) -> str:
    good = isinstance(value, dict) and len(value) <= MOST_COLUMNS and all(map(_are_names_or_none, value.values()))
    return "" if good else f"for each of at most {MOST_COLUMNS} columns a list of at most {MOST_NAMES:,} names"


def _are_names_or_none(value: object) -> bool:
    return isinstance(value, list) and not _names([name or "" for name in value])


def _ranges(value: object) -> str:
    good = isinstance(value, dict) and len(value) <= MOST_COLUMNS and all(_is_range(part) for part in value.values())
    return "" if good else f"for each of at most {MOST_COLUMNS} columns two finite numbers [low, high]"


def _is_range(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_number(part) for part in value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _cell(value: object) -> str:
    good = isinstance(value, list) and len(value) == 2 and not _names([name or "" for name in value])
    return "" if good else "[given label, suggested label]"


def _words(value: object) -> str:
    good = isinstance(value, str) and len(value) <= MOST_WORDS
    return "" if good else f"a text of at most {MOST_WORDS:,} characters"


def _lasso(value: object) -> str:
    strokes = value if isinstance(value, list) else [value]
    good = len(strokes) <= MOST_STROKES and all(_is_stroke(stroke) for stroke in strokes)
    return "" if good else f'at most {MOST_STROKES} strokes {{"method": a projection, "points": [[x, y], …]}}'


def _is_stroke(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    good = isinstance(value.get("method"), str) and isinstance(value.get("points"), list)
    return good and value.get("how") in (None, "add", "subtract")


def _similar(value: object) -> str:
    good = isinstance(value, dict) and isinstance(value.get("id"), str) and _is_count(value.get("k", 1))
    return "" if good else f'{{"id": a sample\'s id, "k": 1 to {MOST_SIMILAR:,}}}'


def _by_meaning(value: object) -> str:
    good = isinstance(value, dict) and not _words(value.get("text")) and _is_count(value.get("k", 1))
    return "" if good else f'{{"text": at most {MOST_WORDS:,} characters, "k": 1 to {MOST_SIMILAR:,}}}'


def _picture(value: object) -> str:
    good = isinstance(value, dict) and isinstance(value.get("name"), str) and _is_count(value.get("k", 1))
    return "" if good else f'{{"name": what the explorer called a picture, "k": 1 to {MOST_SIMILAR:,}}}'


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_SIMILAR


_SHAPES = {
    "lasso": _lasso, "ranges": _ranges, "values": _names_of_columns, "hidden": _names_of_columns, "carries": _names,
    "flags": _names, "cell": _cell, "text": _words, "similar": _similar, "words": _by_meaning, "picture": _picture,
    "ids": _names,
}  # fmt: skip
