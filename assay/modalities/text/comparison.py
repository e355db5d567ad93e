"""What two texts have to do with each other, told from their words: the same, nearly the same, contained, or neither.

Similar is not the same: "3 dead in Graz" and "13 dead in Linz" share nearly all of their characters. So the words are
aligned, and what differs decides.

- *the same*: word for word, but for blanks, case, punctuation and errors of typing.
- *nearly the same*: some words more or less, or a few put otherwise; no number or name for another, no `not` more or
  less, and most of what is not common to many texts is shared.
- *contained*: one stands in the other, at least `LEAST_WORDS` words of it; what many texts share does not count.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import regex
from rapidfuzz.distance import OSA, Indel

from assay.modalities.text.tokens import LETTER_BY_LETTER, Text

NUMBER = regex.compile(r"\p{N}")
NUMERALS = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion".split()
)
NEGATIONS = frozenset(
    "not no never none nothing neither nor without cannot nicht kein keine keinen nie ohne ne pas jamais sans nunca "
    "sin non mai senza niet geen nooit não sem inte ikke не нет без".split()
)
DOUBLED = regex.compile(r"(.)\1")
MOVED = 8  # words in a row that stand elsewhere are a passage that was moved, fewer are other words
ALIGNED = 4  # words in a row, or the whole text, that count as standing in the other
PUT_OTHERWISE = 0.05  # of the words, at most, in texts that are nearly the same
NEARLY = 0.75  # of what is not common, at least, that they share
LEAST_WORDS = 8  # that a contained text has beside what is common
CONTAINED = 0.95  # of its words, that stand in the other
EDITED = 0.1  # of the words, at most, that only one of two texts has which are nearly the same; or
FEW = 8  # shingles; from fewer that are not common nothing is told
CUT = 0.6  # of the longer, from which a shorter text counts as contained that has few words
OVERLAP = 0.3  # of the shingles of the one with fewer; under this no words are aligned
KNOWN = 3  # texts; of two words that both stand in so many neither is an error of typing
RARE = 0.02  # of the texts with one of the two words; the other, in so few, is the same error made again
COMMON_WORD = 8  # texts

Count = Callable[[str], int]


class Relation(Enum):
    """What a pair of texts is, the closest first."""

    SAME = 0
    NEARLY = 1
    CONTAINED = 2
    NEITHER = 3


def relation(one: Text, other: Text, n_texts: Count = lambda _: 0) -> tuple[Relation, float]:
    """What two texts are, and how similar, in [0, 1].

    Args:
        n_texts: in how many texts of the dataset a word stands.

    Returns:
        The relation; and the Jaccard similarity of what is not common, of a contained text the share of its words that
        stand in the other.
    """
    shared = len(one.shingles & other.shingles)
    similarity = shared / max(len(one.shingles) + len(other.shingles) - shared, 1)
    short, long = sorted((one, other), key=lambda text: (len(text.words), text.words, text.common))
    if not short.words or shared < OVERLAP * min(len(one.shingles), len(other.shingles)):
        return Relation.NEITHER, similarity
    change = align(short, long, n_texts)
    if not change.lost and not change.more:
        return Relation.SAME, similarity
    if change.is_another_fact:
        return Relation.NEITHER, similarity
    length, own = (text.common.count(False) for text in (long, short))
    share = min(change.aligned / max(own, 1), 1.0)
    stands_in = share >= CONTAINED and change.lost <= (1 - CONTAINED) * own
    stands_in &= own >= LEAST_WORDS or own >= max(CUT * length, ALIGNED)
    told = min(change.lost, change.more) <= PUT_OTHERWISE * length and len(one.shingles | other.shingles) >= FEW
    if told and change.lost + change.more <= EDITED * length:
        return Relation.NEARLY, similarity
    if stands_in and change.is_cut:
        return Relation.CONTAINED, share
    if told and similarity >= NEARLY:
        return Relation.NEARLY, similarity
    return (Relation.CONTAINED, share) if stands_in else (Relation.NEITHER, similarity)


@dataclass(frozen=True)
class Change:
    """How the shorter text becomes the longer one.

    Attributes:
        lost: words that only the shorter has; neither passages that are common nor such as were moved count.
        more: words that only the longer has, likewise.
        is_another_fact: a number stands for another, or a name; or little but a `not` is there or is not.
        is_cut: all that the longer has more stands before or behind what they share.
        aligned: words of the shorter, not common, in runs that stand in the longer.
    """

    lost: int
    more: int
    is_another_fact: bool
    is_cut: bool
    aligned: int


def align(short: Text, long: Text, n_texts: Count) -> Change:
    """Align the words of two texts (longest common subsequence), and sort out what is left."""
    lost: list[int] = []
    more: list[int] = []
    runs, is_cut = [0], True
    for is_equal, a, b, c, d in _blocks(short.words, long.words):
        if is_equal or _are_typing_errors(short, long, (a, b, c, d), n_texts):
            runs[-1] += short.common[a:b].count(False)
            continue
        at_end, at_start = b == len(short.words), a == 0
        half = b - a == 1 and c < d and _is_part(short.words[a], long.words[c:d], at_start, at_end)
        lost += range(a, b - half)
        more += range(c, d)
        is_cut &= (at_start or at_end) and a == b - half
        runs += [0] if at_start else []
        runs[-1] += half
        runs += [] if at_start else [0]
    aligned = sum(run for run in runs if run >= min(ALIGNED, len(short.words)))
    found = _without_moved(short, lost, long, more)
    (numbers, names), (other_numbers, other_names) = map(_facts, (short, long), found)
    another = bool(numbers and other_numbers and numbers != other_numbers)
    words, other_words = (
        {text.words[place] for place in places} for text, places in zip((short, long), found, strict=True)
    )
    another |= bool(words and other_words) and (_apart(names, other_words) or _apart(other_names, words))
    another |= _negations(short, found[0]) != _negations(long, found[1])
    n_lost, n_more = (len(places) for places in found) if lost or more else (0, 0)
    if not n_lost and not n_more and (lost or more):  # passages in another order, or common ones: not word for word
        n_more = 1
    return Change(n_lost, n_more, another, is_cut, aligned)


def _blocks(short: tuple[str, ...], long: tuple[str, ...]) -> list[tuple[bool, int, int, int, int]]:
    """Aligned blocks `(is_equal, a, b, c, d)`: words a … b of the one, c … d of the other; equal or not by turns."""
    merged: list[tuple[bool, int, int, int, int]] = []
    for step in Indel.opcodes(short, long):
        is_equal = step.tag == "equal"
        a, b, c, d = step.src_start, step.src_end, step.dest_start, step.dest_end
        if not is_equal and merged and not merged[-1][0]:
            merged[-1] = (False, merged[-1][1], b, merged[-1][3], d)
        else:
            merged.append((is_equal, a, b, c, d))
    return merged


def _is_part(word: str, others: Sequence[str], at_start: bool, at_end: bool) -> bool:
    """Whether a text was cut within a word: its last begins the next one of the other, or its first ends one."""
    return (at_end and others[0].startswith(word)) or (at_start and others[-1].endswith(word))


def _are_typing_errors(short: Text, long: Text, block: tuple[int, int, int, int], n_texts: Count) -> bool:
    """Whether errors of typing, or a blank more or less, make one run of words the other."""
    a, b, c, d = block
    one, other = short.words[a:b], long.words[c:d]
    if "".join(one) == "".join(other):
        return not any(map(NUMBER.search, one))
    names = [here or there for here, there in zip(short.names[a:b], long.names[c:d], strict=False)]
    return len(one) == len(other) and all(map(_is_typed_wrong, one, other, names, [n_texts] * len(one)))


def _is_typed_wrong(one: str, other: str, is_name: bool, n_texts: Count) -> bool:
    """Whether one word is the other with an error: of ten letters or more two. No number is, nor two words that both
    stand in several texts. A short word is where letters changed places or one is doubled, or where it stands in many
    texts and the other nowhere else; a short name never."""
    shorter = min(len(one), len(other))
    if NUMBER.search(one + other) or LETTER_BY_LETTER.match(one) or (is_name and shorter < 6):
        return False
    if OSA.distance(one, other, score_cutoff=2) > (2 if shorter >= 10 and not is_name else 1):
        return False
    rarer, commoner = sorted((n_texts(one), n_texts(other)))
    if shorter < 5 and not _is_slip(one, other):
        return commoner >= COMMON_WORD and rarer <= max(1, RARE * commoner)
    return rarer < KNOWN or rarer <= RARE * commoner


def _is_slip(one: str, other: str) -> bool:
    """Whether the same letters stand in both: two changed places, or one is there once more beside itself."""
    return sorted(one) == sorted(other) or DOUBLED.sub(r"\1", one) == DOUBLED.sub(r"\1", other)


def _without_moved(short: Text, lost: list[int], long: Text, more: list[int]) -> tuple[list[int], list[int]]:
    """What is left of two lists of places without passages that only stand elsewhere, and without common ones."""
    moved = _passages(short, lost) & _passages(long, more)
    return _outside(short, lost, moved), _outside(long, more, moved)


def _passages(text: Text, places: list[int]) -> set[tuple[str, ...]]:
    """Runs of `MOVED` words at places that follow each other."""
    return {text.words[places[i] : places[i] + MOVED] for i in _starts(places)}


def _starts(places: list[int]) -> list[int]:
    return [i for i in range(len(places) - MOVED + 1) if places[i + MOVED - 1] == places[i] + MOVED - 1]


def _outside(text: Text, places: list[int], moved: set[tuple[str, ...]]) -> list[int]:
    inside: set[int] = set()
    for i in _starts(places):
        run = slice(places[i], places[i] + MOVED)
        if text.words[run] in moved or all(text.common[run]):
            inside.update(range(run.start, run.stop))
    return [place for place in places if place not in inside]


def _apart(names: Counter[str], others: set[str]) -> bool:
    """Whether any of some names is none of the other words, not even with one letter wrong (of six or more, two)."""
    return any(
        all(OSA.distance(name, other, score_cutoff=2) > 1 + (len(name) > 5) for other in others) for name in names
    )


def _negations(text: Text, places: list[int]) -> int:
    """How many words at some places deny something."""
    words = [text.words[place] for place in places]
    return sum(word in NEGATIONS or word.endswith(("n't", "n’t")) for word in words) if len(words) <= FEW else 0


def _facts(text: Text, places: list[int]) -> tuple[Counter[Any], Counter[Any]]:
    """The numbers and the names among the words at some places."""
    words = [(text.words[place], text.names[place]) for place in places]
    numbers = Counter(word for word, _ in words if NUMBER.search(word) or word in NUMERALS)
    return numbers, Counter(word for word, name in words if name and word not in numbers)
