"""A text as it is compared with others: its words, which of them are names, and which stand in many texts."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import regex

from assay.modalities.text.shingles import SHINGLE, normalize_text
from assay.modalities.text.words import UNSPACED

TOKEN = regex.compile(
    rf"(?:(?<!\S)[-−+])?\p{{N}}+(?:[.,:/]\p{{N}}+)*|[{UNSPACED}]\p{{M}}*"
    rf"|[[\p{{L}}\p{{M}}\p{{N}}_]--[{UNSPACED}]]+(?:['’]\p{{L}}+)*|[[\p{{S}}%‰#&*/\\@]--[>|`]]",
    regex.V1,
)
"""Numbers with their signs and parts, words, and signs that mean something; not marks of quotation or punctuation."""
CAPITAL = regex.compile(r"(?<![\p{L}\p{M}'’])\p{Lu}[\p{L}\p{M}]*(?:['’]\p{L}+)*")
LOWER = regex.compile(r"(?<![\p{L}\p{M}'’])\p{Ll}[\p{L}\p{M}]*(?:['’]\p{L}+)*")
LETTER_BY_LETTER = regex.compile(rf"[{UNSPACED}]", regex.V1)
MOST_TOKENS = 20_000  # of a longer text these are aligned, and the rest counts as one


@dataclass(frozen=True)
class Text:
    """A text to be compared.

    Attributes:
        words: its tokens, folded.
        names: whether each is written with a capital, or is one sign of a script without blanks.
        common: whether each belongs to a passage that stands in many texts.
        shingles: the runs of five characters of what does not.
    """

    words: tuple[str, ...]
    names: tuple[bool, ...]
    common: tuple[bool, ...]
    shingles: frozenset[str]


def read_text(raw: str, normalized: str, spans: Sequence[tuple[int, int]] = ()) -> Text:
    """A text as it is compared. `spans`: the common passages of `normalized`, by characters, in order."""
    tokens = list(itertools.islice(TOKEN.finditer(normalized), MOST_TOKENS + 1))
    beyond = (normalized[tokens.pop().start() :],) if len(tokens) > MOST_TOKENS else ()
    capitals = _capitals(raw)
    names = tuple(_is_name(match[0], capitals) for match in tokens)
    common = _inside([match.start() for match in tokens], spans)
    rest, last = [], 0
    for begin, end in spans:
        rest.append(normalized[last:begin])
        last = end
    rest.append(normalized[last:])
    runs = frozenset(part[i : i + SHINGLE] for part in rest for i in range(max(len(part) - SHINGLE + 1, 0)))
    return Text(
        (*(match[0] for match in tokens), *beyond),
        (*names, *map(bool, beyond)),
        (*common, *(False for _ in beyond)),
        runs,
    )


def _capitals(raw: str) -> frozenset[str]:
    """Folded words that stand with a capital, and nowhere without: names, some first words; in German all nouns."""
    without = {word.casefold() for word in LOWER.findall(raw)}
    return frozenset(folded for word in CAPITAL.findall(raw) if (folded := normalize_text(word)) not in without)


def _is_name(word: str, capitals: frozenset[str]) -> bool:
    return word in capitals or bool(LETTER_BY_LETTER.match(word))


def _inside(places: list[int], spans: Sequence[tuple[int, int]]) -> tuple[bool, ...]:
    if not spans:
        return (False,) * len(places)
    begins, ends = np.array(spans).T
    at = np.searchsorted(begins, places, side="right") - 1
    return tuple(((at >= 0) & (np.array(places) < ends[np.maximum(at, 0)])).tolist())
