"""The checks of `embedding_health` in words: a sentence a part, and what is wrong in each."""

from collections.abc import Iterable
from typing import Any

PARTS = {  # part: its title, the checks it holds (by prefix), what is true where they all pass
    "vectors": (
        "Vectors",
        ("vectors_", "norm_", "dimensions", "constant_dimensions", "duplicate_vectors", "effective_rank"),
        "Every content has a vector of its own, and none is broken.",
    ),
    "meaning": (
        "What the vectors know",
        ("embedding_", "basis_", "units"),
        "Neighbours tend to share their label, so scores made from them can be trusted.",
    ),
    "neighbours": ("Neighbours", ("index_",), "The search finds the true nearest neighbours."),
    "map": ("Map", ("projection_",), "Samples that are near on the map are near in the vectors."),
    "labels": ("Labels", ("label_",), "Every class has enough samples to be judged."),
    "drift": ("Drift", ("drift_",), "The new data look like the data before."),
}


def in_words(checks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line a part, parts with a failed check first.

    Args:
        checks: rows of `embedding_health`.

    Returns:
        `{part, title, ok, says, failed: [{check, value, wanted, note}], n}` for each part that has checks.
    """
    rows = list(checks)
    lines = []
    for part, (title, _, says) in PARTS.items():
        here = [row for row in rows if _part_of(row["check"]) == part]
        if here:
            lines.append(_line(part, title, says, here))
    others = [row for row in rows if _part_of(row["check"]) is None]
    if others:
        lines.append(_line("other", "Other checks", "All passed.", others))
    return sorted(lines, key=lambda line: line["ok"])


def _part_of(check: str) -> str | None:
    return next((part for part, (_, prefixes, _) in PARTS.items() if check.startswith(prefixes)), None)


def _line(part: str, title: str, says: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    failed = [row for row in rows if not row["ok"]]
    if failed:
        n = len(failed)
        says = f"{n} of {len(rows)} checks failed." if n > 1 else f"{_title(failed[0]['check'])} is not as wanted."
    elif part == "drift" and all(row["value"] is None for row in rows):
        says = _sentence(next((row["note"] for row in rows if row["note"]), None) or "Nothing to compare with yet")
    keys = ("check", "value", "wanted", "note")
    named = [{key: row[key] for key in keys} | {"title": _title(row["check"])} for row in failed]
    return {"part": part, "title": title, "ok": not failed, "says": says, "failed": named, "n": len(rows)}


def _title(check: str) -> str:
    return check.replace("_", " ").capitalize()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
