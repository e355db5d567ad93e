"""What a request asks: JSON and query parameters, checked before anything looks at them.

What passes is finite, shallow and valid Unicode, so that nothing below meets a number that is none, a text that cannot
be written, or a tree that cannot be walked.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

MOST_DEPTH = 12
MOST_VALUES = 300_000  # in one request
MOST_CHARACTERS = 100_000  # of one text: as long as a label may be
MOST_DIGITS = 15  # of a whole number: what a float holds exactly
LARGEST = 1e38  # of a number: what a float32 holds
WHOLE = re.compile(r"-?\d{1,15}")


class AskedError(ValueError):
    """A request asks for something that cannot be; the message says what was found and what was wanted."""


def parse(data: bytes) -> dict[str, Any]:
    """The JSON object of a request's body.

    Raises:
        AskedError: no JSON object; too deep or too large; a number that is not finite or has too many digits; text
            with lone surrogates.
    """
    try:
        found = json.loads(data, parse_int=_whole, parse_float=_float, parse_constant=_constant)
    except AskedError:
        raise
    except RecursionError:
        raise AskedError(f"the request is nested too deep; wanted at most {MOST_DEPTH} levels") from None
    except ValueError as error:  # bad UTF-8 too
        raise AskedError(f"the request is not JSON: {str(error)[:100]}") from None
    if not isinstance(found, dict):
        raise AskedError("the request is not a JSON object")
    _check(found)
    return found


def whole(body: Mapping[str, Any], name: str, default: int, least: int = 0) -> int:
    """The whole number `name` of a request's body or query; `default` where it is absent or null.

    Raises:
        AskedError: it is none, or less than `least`.
    """
    value = body.get(name)
    if value is None or value == "":
        return default
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, float) and value.is_integer():
        value, is_whole = int(value), True
    if isinstance(value, str) and WHOLE.fullmatch(value):
        value, is_whole = int(value), True
    if not is_whole or not least <= value < 10**MOST_DIGITS:
        raise AskedError(f"{name} is {str(value)[:50]!r}; wanted a whole number from {least}")
    return int(value)


def text(body: Mapping[str, Any], name: str, most: int = 1_000) -> str:
    """The text `name` of a request; empty where it is absent or null.

    Raises:
        AskedError: it is no text, or longer than `most` characters.
    """
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise AskedError(f"{name} is {str(value)[:50]!r}; wanted a text")
    if len(value) > most:
        raise AskedError(f"{name} has {len(value):,} characters; wanted at most {most:,}")
    return value


def given(body: Mapping[str, Any], name: str, most: int = MOST_CHARACTERS) -> str:
    """As `text`, which must be there.

    Raises:
        AskedError: it is absent, null, no text, or too long.
    """
    if body.get(name) is None:
        raise AskedError(f"the request has no {name!r}")
    return text(body, name, most)


def rows(body: Mapping[str, Any], name: str) -> list[int]:
    """The list of whole numbers `name` of a request; empty where it is absent.

    Raises:
        AskedError: it is no list, or holds something else.
    """
    value = body.get(name) or []
    if not isinstance(value, list):
        raise AskedError(f"{name} is {str(value)[:50]!r}; wanted a list of whole numbers")
    return [whole({name: part}, name, -1) for part in value]


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS + 1:
        raise AskedError(f"a number of {len(digits):,} digits; wanted at most {MOST_DIGITS}")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value) or abs(value) > LARGEST:
        raise AskedError(f"the number {digits[:50]}; wanted at most {LARGEST:g}")
    return value


def _constant(name: str) -> float:
    raise AskedError(f"the number {name}; wanted finite numbers")


def _check(found: dict[str, Any]) -> None:
    """Depth, size and text of everything in `found`. Raises `AskedError`."""
    level, count, depth = [found], 0, 0
    while level:
        depth += 1
        count += len(level)
        if depth > MOST_DEPTH:
            raise AskedError(f"the request is nested too deep; wanted at most {MOST_DEPTH} levels")
        if count > MOST_VALUES:
            raise AskedError(f"the request holds too many values; wanted at most {MOST_VALUES:,}")
        inside = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, list):
                inside += value
            elif isinstance(value, dict):
                inside += [*value.keys(), *value.values()]
        level = inside


def _check_text(value: str) -> None:
    if len(value) > MOST_CHARACTERS:
        raise AskedError(f"a text of {len(value):,} characters; wanted at most {MOST_CHARACTERS:,}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise AskedError("a text with half of a character (a lone surrogate); wanted valid Unicode") from None
