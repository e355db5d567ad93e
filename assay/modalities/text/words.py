"""Words of a text in any script, and how much of it is said again.

A word is a run of letters, marks and digits with inner apostrophes. Scripts that put no blanks between words (Han,
kana, Thai, Lao, Khmer, Burmese) count a word a character; where a run of words is meant, each such character counts as
the part of a word that it usually is.
"""

import functools

import regex

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
WORD = regex.compile(rf"[{UNSPACED}]\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]+(?:['’]\p{{L}}+)*", regex.V1)
CHARACTER_OF = (  # parts of a word in 36ths: a word of Chinese has about 2 characters, of Japanese kana 3, of Thai 4
    (regex.compile(r"\p{Han}"), 18),
    (regex.compile(r"[\p{Hiragana}\p{Katakana}]"), 12),
    (regex.compile(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"), 9),
)
WHOLE = 36
SHORT_RUN, LONG_RUN = 3, 10  # words
NEAR = 1_000  # words; every language repeats runs of three words in the course of a book
FEWEST = 5  # words; in shorter texts characters are counted
FEWEST_CHARACTERS = 10  # of a text of so few words, to say anything


def repetition(text: str) -> float | None:
    """Share of what is said again, 0 … 1; null in texts of fewer than five words and at most ten characters.

    Of the runs of three words, those that stand among the thousand words before as well (Rae et al. 2021, Gopher's
    rule, which is about pages of that size). In longer texts also of the runs of ten words, those that stand
    anywhere before; the larger share counts. Of character trigrams in texts of fewer than five words.
    """
    words = [word.casefold() for word in WORD.findall(text)]
    sizes = [_size(word[0]) for word in words]
    total = sum(sizes)
    if total < FEWEST * WHOLE:
        words = list("".join(text.split()).casefold())
        sizes, total = [WHOLE] * len(words), len(words) * WHOLE
        if len(words) <= FEWEST_CHARACTERS:
            return None
    near = _said_again(words, sizes, SHORT_RUN * WHOLE, NEAR * WHOLE)
    return near if total <= NEAR * WHOLE else max(near, _said_again(words, sizes, LONG_RUN * WHOLE, total))


@functools.lru_cache(maxsize=65_536)
def _size(character: str) -> int:
    """The part of a word that a token is, told by its first character."""
    return next((size for script, size in CHARACTER_OF if script.match(character)), WHOLE)


def _said_again(words: list[str], sizes: list[int], length: int, reach: int) -> float:
    """Share of the runs of `length` that began before, at most `reach` back; both in 36ths of a word."""
    last: dict[tuple[str, ...], int] = {}
    place = end = inside = count = again = 0
    for start, size in enumerate(sizes):
        while inside < length and end < len(words):
            inside += sizes[end]
            end += 1
        if inside < length:
            break
        run = tuple(words[start:end])
        count += 1
        again += run in last and place - last[run] <= reach
        last[run] = place
        place += size
        inside -= size
    return again / count if count else 0.0
