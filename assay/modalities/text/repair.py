"""What reading a text had to mend: wrong decodings undone, characters lost before we saw it, control characters.

Such a text is not what its author wrote. It is mended where that can be done, and said to be damaged either way.
"""

import functools

import ftfy
import regex

FTFY = ftfy.TextFixerConfig(
    normalization=None,  # a step of its own
    remove_control_chars=False,  # likewise
    uncurl_quotes=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
)
LOST = regex.compile(r"[\ufffd\ud800-\udfff]")
STRAY = regex.compile(r"[\p{Cc}--[\t\n\v\f\r\x1b\x85]]", regex.V1)  # escape codes are a terminal's colours


def fix_encoding(text: str, _: str = "") -> str:
    """ftfy, line by line (as in `ftfy.fix_text`, one wrongly decoded line does not depend on the others)."""
    return "".join(_fixed(line)[0] for line in text.splitlines(keepends=True))


def has_mojibake(text: str) -> bool:
    """Whether ftfy decodes any line of `text` anew."""
    return any("decode" in _fixed(line)[1] for line in text.splitlines(keepends=True))


def damaged_share(text: str) -> float:
    """Share of the characters, 0 … 1, that were decoded wrongly, are lost (U+FFFD, half a surrogate pair), or are
    control characters that no text has.

    Of a line decoded anew, the words that changed count.
    """
    if not text:
        return 0.0
    wrong = len(LOST.findall(text)) + len(STRAY.findall(text))
    wrong += sum(_changed(line, _fixed(line)) for line in text.splitlines(keepends=True) if not line.isascii())
    return min(wrong / len(text), 1.0)


def _changed(line: str, fixed: tuple[str, frozenset[str]]) -> int:
    """Characters of the words of `line` that were decoded anew."""
    after, steps = fixed
    if "decode" not in steps:
        return 0
    old, new = line.split(" "), after.split(" ")
    if len(old) != len(new):  # a blank was part of what was decoded
        return len(line)
    return sum(len(was) for was, now in zip(old, new, strict=True) if was != now and not was.isascii())


@functools.lru_cache(maxsize=64)
def _fixed(line: str) -> tuple[str, frozenset[str]]:
    """A line after ftfy, and the kinds of steps that it took."""
    if line.isascii() and "&" not in line and "\x1b" not in line:
        return line.replace("\r\n", "\n").replace("\r", "\n"), frozenset()
    fixed = ftfy.fix_and_explain(line, FTFY)
    return fixed.text, frozenset(step.action for step in fixed.explanation or ())
