"""What a snapshot says at first sight: a headline, what changed, what is worth doing, in one set of words.

The report's top and the explorer's first page are both made from this.
"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from assay.contracts.gates import says
from assay.reading import health
from assay.reading.doubt import Readable, untold

HEADLINE = (  # number of the headline, singular, plural
    ("n_label_issues", "label looks wrong", "labels look wrong"),
    ("n_duplicates", "sample is a copy", "samples are copies"),
    ("n_leaks", "pair leaks between splits", "pairs leak between splits"),
    ("n_outliers", "is an outlier", "are outliers"),
    ("n_rejects", "could not be used", "could not be used"),
)
NOISY_CLASS = 0.1  # estimated share of wrong labels from which a class is worth a look
ERRING = 0.1  # an annotator's estimated share of wrong labels, likewise
MOST_WORTH = 5


def verdict(headline: dict[str, Any]) -> list[tuple[int, str]]:
    """The findings as counts with their words, none of them zero."""
    found = [(int(headline.get(key) or 0), one, many) for key, one, many in HEADLINE]
    return [(n, one if n == 1 else many) for n, one, many in found if n]


def sentence(headline: dict[str, Any], n_classes: int, plural: str, judged: bool = True) -> str:
    """The headline as one or two sentences; `plural` is what the samples are called."""
    n = int(headline.get("n_samples") or 0)
    start = f"{n:,} {plural}"
    if n_classes:
        start += f" in {n_classes:,} {'class' if n_classes == 1 else 'classes'}"
    parts = [f"{count:,} {words}" for count, words in verdict(headline)]
    if not parts:
        return f"{start}. Nothing looks wrong{'' if judged else ', but the labels were not judged'}."
    last = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    return f"{start}: {last}."


def changes(tables: Readable) -> dict[str, Any]:
    """What the `diff` table says, in three words: fixed, new, judged anew.

    `fixed`: an issue is gone because the sample was changed or removed; `new`: an issue of a sample that was added or
    changed; `anew`: the sample is as it was, but what is known around it is not. Each counts issues and lists them
    by metric. `counts` has the samples that were added, removed or given another label.
    """
    diff = tables.scan("diff").select("sample_id", "change", "metric").collect()
    moved = diff.filter(pl.col("metric") == "")
    touched = moved["sample_id"].unique()
    issues = diff.filter(pl.col("change").is_in(["new_issue", "resolved"]))
    own = pl.col("sample_id").is_in(touched.implode())
    is_new = pl.col("change") == "new_issue"
    return {
        "counts": dict(moved.group_by("change").len().sort("change").iter_rows()),
        "fixed": _by_metric(issues.filter(~is_new & own)),
        "new": _by_metric(issues.filter(is_new & own)),
        "anew": {
            "up": _by_metric(issues.filter(is_new & ~own)),
            "down": _by_metric(issues.filter(~is_new & ~own)),
        },
    }


def _by_metric(issues: pl.DataFrame) -> dict[str, Any]:
    counted = issues.group_by("metric").len().sort(["len", "metric"], descending=[True, False])
    return {"n": len(issues), "metrics": [list(row) for row in counted.iter_rows()]}


def rejects(tables: Readable) -> list[dict[str, Any]]:
    """What was not carried on, by reason: count, stage and one example."""
    found = (
        tables.scan("rejects").group_by("reason", "stage")
        .agg(pl.len().alias("n"), pl.col("uri").drop_nulls().first(), pl.col("detail").drop_nulls().first())
        .sort(["n", "reason"], descending=[True, False]).collect()
    )  # fmt: skip
    return [
        {"reason": row["reason"].replace("_", " "), "stage": row["stage"], "n": row["n"], "example": row["uri"],
         "detail": (row["detail"] or "")[:200]} for row in found.iter_rows(named=True)
    ]  # fmt: skip


def worth_doing(
    tables: Readable, queues: Sequence[dict[str, Any]], gates: Sequence[dict[str, Any]], n_rejects: int
) -> list[dict[str, Any]]:
    """At most `MOST_WORTH` things, the most useful first: what, how many are left, why, and where the button leads.

    `go` is a partial state of the page: `{"page": "review", "queue": "label_issue"}`.
    """
    things = [_gate(gate) for gate in gates if not gate["ok"]]
    for queue in queues:
        left = queue["total"] - queue["done"]
        if left:
            one, many = queue["unit"]
            why, go = WHY.get(queue["key"], queue["says"]), {"page": "review", "queue": queue["key"]}
            unit = one if left == 1 else many
            things.append(_thing(queue["title"], left, unit, why, go, "Review", queue["done"]))
    if n_rejects:
        go = {"page": "tables", "sheet": "rejects"}
        unit = "file" if n_rejects == 1 else "files"
        why = "They are in no table and in no count"
        things.append(_thing("Files that could not be used", n_rejects, unit, why, go, "See why"))
    things += [*_noisy_classes(tables), *_erring(tables), *_untold(tables)]
    return things[:MOST_WORTH]


WHY = {
    "label_issue": "A model learns them as they are: each is a wrong lesson",
    "leak": "A test that knows its answers flatters the model",
    "duplicate": "Copies count twice in training and teach nothing new",
    "label_conflict": "The same thing is taught under two names",
    "outlier": "Rare cases that matter, or things that do not belong",
}


def _thing(title: str, n: int, unit: str, why: str, go: dict[str, Any], button: str, done: int = 0) -> dict[str, Any]:
    why = why[:1].upper() + why[1:]
    return {"title": title, "n": n, "unit": unit, "why": why, "go": go, "button": button, "done": done}


def _gate(gate: dict[str, Any]) -> dict[str, Any]:
    title = "Gate warns" if gate.get("level") == "warn" else "Gate failed"
    said = says(gate)
    go = {"page": "tables", "sheet": "health"}
    return _thing(f"{title}: {gate['metric']}", 1, "gate", f"It is{said.partition(' is')[2]}", go, "See it")


def _untold(tables: Readable) -> list[dict[str, Any]]:
    more = untold(tables)
    if more is None:
        return []
    why = "The vectors cannot rule out that so many are wrong besides those that are flagged; the likeliest come first"
    go = {"page": "map", "sort": "label_issues.score", "descending": True, "tab": "samples"}
    return [_thing("Labels that may be wrong, too", more["n"], "labels at most", why, go, "Look at them")]


def _noisy_classes(tables: Readable) -> list[dict[str, Any]]:
    noisy = tables.scan("classes").filter(pl.col("noise") >= NOISY_CLASS).select("label", "noise").collect()
    if noisy.is_empty():
        return []
    worst = noisy.sort(["noise", "label"], descending=[True, False]).row(0, named=True)
    why = f"The worst is {worst['label'][:60]!r}: about {100 * worst['noise']:.0f}% of its labels are wrong"
    return [_thing("Classes with many wrong labels", len(noisy), "class" if len(noisy) == 1 else "classes", why,
                   {"page": "tables", "sheet": "classes"}, "See them")]  # fmt: skip


def _erring(tables: Readable) -> list[dict[str, Any]]:
    erring = tables.scan("annotators").filter(pl.col("error_rate") >= ERRING).select("annotator", "error_rate")
    rows = erring.collect().sort(["error_rate", "annotator"], descending=[True, False])
    if rows.is_empty():
        return []
    worst = rows.row(0, named=True)
    why = f"{worst['annotator'][:60]!r} gives about {100 * worst['error_rate']:.0f}% wrong labels"
    return [_thing("Annotators who err often", len(rows), "annotator" if len(rows) == 1 else "annotators", why,
                   {"page": "tables", "sheet": "annotators"}, "See them")]  # fmt: skip


def told(
    tables: Readable,
    manifest: dict[str, Any],
    history: Sequence[dict[str, Any]],
    queues: Sequence[dict[str, Any]],
    plural: str,
) -> dict[str, Any]:
    """Everything on the first page.

    Args:
        manifest: the snapshot's.
        history: `{number, created_at, headline}` of it and older ones, oldest first.
        queues: as `queues.queues` gives them.
        plural: what the samples are called, by their face.
    """
    headline, gates = manifest.get("headline", {}), manifest.get("gates", [])
    n_classes = tables.scan("classes").select(pl.len()).collect().item()
    found = rejects(tables)
    n_rejects = sum(line["n"] for line in found)
    checks = tables.scan("embedding_health").collect().to_dicts()
    complete = headline | {"n_rejects": headline.get("n_rejects", n_rejects)}
    notes = tables.scan("dataset_metrics").filter(pl.col("metric") == "label_issues_note").select(pl.len())
    judged = not notes.collect().item()  # a note says why the labels were not
    return {
        "sentence": sentence(complete, n_classes, plural, judged),
        "headline": complete,
        "history": trend(history),
        "changes": changes(tables) if manifest.get("parent") is not None else None,
        "parent": manifest.get("parent"),
        "worth": worth_doing(tables, queues, gates, n_rejects),
        "queues": list(queues),
        "gates": [gate | {"says": says(gate)} for gate in gates],
        "rejects": found,
        "health": health.in_words(checks),
    }


def trend(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line a headline number over the snapshots, oldest first; None where a snapshot lacks it."""
    names = ["n_samples", *(key for key, _, _ in HEADLINE)]
    names += sorted({key for line in history for key in line["headline"]} - set(names))
    lines = []
    for name in names:
        values = [line["headline"].get(name) for line in history]
        if any(value is not None for value in values):
            lines.append({"name": name, "values": values, "numbers": [line["number"] for line in history]})
    return lines
