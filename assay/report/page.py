"""The static report: one HTML file of a snapshot that opens offline, with everything it shows inside it.

What it says comes from the tables and the context alone, so that equal tables give equal bytes. Every word of the
user's is text: the template escapes it, and a content-security policy forbids any script but the page's own.
"""

import base64
import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from assay.contracts.gates import says
from assay.reading import overview, queues
from assay.reading.report import Tables, collect, printable, read_faces
from assay.report import sections
from assay.report.map import embedding_map

HERE = Path(__file__).parent
SNAPSHOT_NAME = "v{:08d}"


def write_report(tables: Mapping[str, list[Path]], context: dict[str, Any], target: Path) -> None:
    """Write the report of a snapshot.

    Args:
        tables: the Parquet parts of each table of the snapshot.
        context: `dataset`, `number`, `face` (or none), `spec` (as JSON values), `parent` (the number of the
            snapshot before, or None); and, where known, `created_at`, `gates`, `software`.
        target: the file to write.
    """
    values = gather(Tables(tables, context.get("face")), context)
    style, script = (HERE / "report.css").read_text("utf-8"), (HERE / "report.js").read_text("utf-8")
    page = _template().render(
        **values,
        style=Markup(style),
        script=Markup(script),
        policy=f"default-src 'none'; img-src data:; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'",
    )
    target.write_text(page, encoding="utf-8")


def gather(tables: Tables, context: dict[str, Any]) -> dict[str, Any]:
    """Everything the template shows."""
    numbers = {row["metric"]: row for row in collect(tables.scan("dataset_metrics").sort("metric")).to_dicts()}
    values: dict[str, Any] = {
        "context": context,
        "shown": tables.shown,
        "name": SNAPSHOT_NAME.format(context["number"]),
        "n_samples": tables.count("samples"),
        "splits": split_sizes(tables),
        "labels": sections.label_issues(tables, numbers, are_sets(context.get("spec") or {})),
        "noise": sections.noise(tables),
        "galleries": sections.metric_galleries(tables),
        "duplicates": sections.duplicate_groups(tables),
        "leaks": sections.leak_pairs(tables, numbers),
        "classes": sections.classes(tables),
        "groups": sections.group_rows(tables),
        "annotators": sections.annotators(tables),
        "rejects": sections.rejects(tables),
        "changes": sections.changes(tables),
        "curves": sections.proposal_curves(tables, numbers),
        "health": collect(tables.scan("embedding_health").sort("ok", "check")).to_dicts(),
        "gates": [{"level": "fail"} | gate | {"says": says(gate)} for gate in context.get("gates") or []],
        "numbers": list(numbers.values()),
        "worth": sections.worth(numbers),
        "facts": sections.dataset_facts(numbers),
        "erasures": sections.erasures(numbers),
        "tier_names": sections.TIERS,
    }
    values["n_outliers"] = next((g["total"] for g in values["galleries"] if g["metric"] == "outlier"), 0)
    values["told"] = first_words(tables, context, values)
    values["faces"] = read_faces(tables, shown_ids(values))
    values["map"] = embedding_map(tables)
    values["map_json"] = as_script_data(values["map"]) if values["map"] else None
    return values


WHERE = {"label_issue": "labels", "duplicate": "duplicates", "leak": "leaks"}  # a queue's section, else `samples`


def first_words(tables: Tables, context: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """What the page begins with, in the words that the explorer begins with: `assay.reading.overview`."""
    headline = {
        "n_samples": values["n_samples"], "n_label_issues": values["labels"]["total"],
        "n_duplicates": values["duplicates"]["redundant"], "n_leaks": values["leaks"]["total"],
        "n_outliers": values["n_outliers"], "n_rejects": values["rejects"]["total"],
    }  # fmt: skip
    counts = {"label_issue": values["labels"]["total"], "leak": values["leaks"]["total"],
              "duplicate": values["duplicates"]["with_copies"]}  # fmt: skip
    counts |= {gallery["metric"]: gallery["total"] for gallery in values["galleries"]}
    manifest = {"headline": headline, "gates": values["gates"], "parent": context["parent"]}
    plural = (context.get("face") or {}).get("plural") or "samples"
    told = overview.told(tables, manifest, context.get("history") or [], queues.of_counts(counts), plural)
    for thing in told["worth"]:
        go = thing["go"]
        thing["section"] = WHERE.get(go.get("queue", ""), go.get("sheet") or "samples")
    return told


def are_sets(spec: dict[str, Any]) -> bool:
    """Whether labels are sets of classes."""
    return bool((spec.get("source") or {}).get("label_separator"))


def split_sizes(tables: Tables) -> list[tuple[str, int]]:
    """Samples per split, the largest first."""
    sizes = collect(tables.scan("samples").drop_nulls("split").group_by("split").len())
    return list(sizes.sort("len", "split", descending=[True, False]).iter_rows())


def shown_ids(values: dict[str, Any]) -> list[str]:
    """The samples that appear on cards, in the order in which they deserve a picture."""
    ids = [row["sample_id"] for row in values["labels"]["rows"]]
    for pair in values["leaks"]["pairs"]:
        ids += [key for row in pair["rows"] for key in (row["sample_id"], row["other_id"])]
    for group in values["duplicates"]["groups"]:
        ids += [member["sample_id"] for member in group["members"]]
    for gallery in values["galleries"]:
        ids += [row["sample_id"] for row in gallery["rows"]]
    return ids


def as_script_data(value: object) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text.encode("utf-8", "replace").decode())


def _source(text: str) -> str:
    """The content-security policy's name for one inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@functools.cache  # to compile it takes longer than to fill it
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    environment.filters |= {
        "n": _count, "pct": _percent, "num": _number, "fixed": _fixed, "short": printable, "middle": _middle
    }  # fmt: skip
    return environment.get_template("report.html")


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _percent(value: float | None) -> str:
    """`0.0342` as `3.4%`; small shares keep a figure."""
    if value is None:
        return "–"
    return f"{100 * value:.2f}%" if 0 < abs(value) < 0.001 else f"{100 * value:.1f}%"


def _fixed(value: float | None, digits: int = 2, sign: str = "") -> str:
    """That many digits after the point, with a true minus, and never a minus zero."""
    return "–" if value is None else f"{round(value, digits) + 0.0:{sign}.{digits}f}".replace("-", "−")


def _middle(value: object, length: int) -> str:
    """`value` as `printable`, but shortened in the middle: names of classes often differ at their ends."""
    text = str(value)
    if len(text) <= length:
        return printable(text, length)
    return printable(text[: length // 2]) + "…" + printable(text[len(text) - (length - length // 2 - 1) :])


def _number(value: float | None) -> str:
    """Three significant figures; whole numbers whole."""
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return str(value)
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:,.3g}"
