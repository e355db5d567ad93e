"""`python -m assay.contracts.document` writes docs/tables.md and docs/spec.md from the code, so that they stay true."""

import ast
import functools
import inspect
import re
import sys
from pathlib import Path
from typing import Any, Literal, TypeGuard, get_args, get_origin

from assay.contracts.frames import dy
from assay.contracts.metrics import BUILT_IN
from assay.contracts.section import Section
from assay.contracts.spec import Spec, Thresholds
from assay.contracts.tables import CONTRACTS, FACTS, INTERNAL, PUBLISHED, Contract

DOCS = Path(__file__).parents[2] / "docs"
INTRODUCTION = """# The tables

Written by `python -m assay.contracts.document` from `assay/contracts/tables.py`; a test holds it to that.

`assay query DATASET "SQL"` and plain `duckdb HOME/DATASET/catalog.duckdb` show every published table of the newest
snapshot by its name, and `history.TABLE` across all snapshots with the column `snapshot`. Every score runs from
0 (clean) to 1 (surely an issue). Distances are measured by a reference that is kept from night to night; labels by a
model that is fitted anew each night. A verdict, `is_issue`, stays what it was where the content and the label are what
they were, unless the [evidence is clear](metrics.md#from-night-to-night)
([how often](benchmarks.md#how-steady-verdicts-are)). **Bold** columns are the key.
Facts are keyed by content and shared between snapshots: join them from `samples` by `content_hash`.

Three more views follow what people decide, also after the snapshot was published. `decisions` are those that stand for
its samples: `sample_id`, `content_hash` and `label` at the time, `kind`, `value`, `who`, `at`, `batch`, `sequence`,
`snapshot`. `history.decisions` are all that were ever made. `cleaned` are the rows of `samples` worth training on: no
copies but those that somebody keeps, nothing that somebody dropped, accepted labels in the place of the given ones. It
is what the explorer exports.
"""


SPEC_INTRODUCTION = """# The dataset spec

Written by `python -m assay.contracts.document` from `assay/contracts/spec.py`; a test holds it to that.

One TOML file, one dataset. A spec of `name`, `modality` and `[source]` runs; all else has a default. Unknown keys
are errors that name the nearest known one. Paths are relative to the spec's own file.

```toml
name = "caltech101"
modality = "image"                   # image | text | vectors

[source]
kind = "folder"
path = "data/101_ObjectCategories"
exclude = ["BACKGROUND_Google"]

[embed]
model = "ViT-B-32"                   # any open_clip model, hf-hub:… or local-dir:PATH
pretrained = "laion2b_s34b_b79k"

[schedule]
cron = "0 2 * * *"
timezone = "Asia/Seoul"

[gates]                              # any headline number or row of dataset_metrics; what is new; by group
label_issue_rate = { max = 0.05 }
"new:label_issue" = { max = 50 }     # since the last night
"new:leak" = { max = 0 }
n_samples = { max_fall = 1000, level = "warn" }
"rate:dark" = { max = 0.1, by = "camera" }
```
"""


def spec_page() -> str:
    """The page of the spec: a chapter per section, a row per key."""
    chapters = [SPEC_INTRODUCTION]
    for name, field in Spec.model_fields.items():
        section = next((t for t in (field.annotation, *get_args(field.annotation)) if _is_section(t)), None)
        if section:
            chapters.append(section_chapter(name, section))
    return "\n".join(chapters)


def section_chapter(name: str, section: type[Section]) -> str:
    """One section: what it is, and a row per key with its values and default."""
    notes = dict(re.findall(r"^    (\w+): .*?  # (.+)$", inspect.getsource(section), re.M))
    lines = [
        f"## [{name}]",
        "",
        inspect.getdoc(section) or "",
        "",
        "| key | values | default | meaning |",
        "|---|---|---|---|",
    ]
    if section is Thresholds:
        for metric in (known for known in BUILT_IN if known.adjustable or known.threshold is not None):
            default = "what is beyond chance" if metric.threshold is None else f"`{metric.threshold}`"
            lines.append(f"| {metric.name} | 0 … 1 | {default} | {metric.meaning} |")
    for key, field in section.model_fields.items():
        default = "required" if field.is_required() else f"`{field.default!r}`"
        lines.append(f"| {key} | {values_text(field.annotation)} | {default} | {notes.get(key, '')} |")
    return "\n".join(lines) + "\n"


def values_text(annotation: Any) -> str:
    """A key's type, or its allowed values."""
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list of {values_text(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return "table"
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return values_text(parts[0]) if parts else getattr(annotation, "__name__", str(annotation))


def _is_section(candidate: object) -> TypeGuard[type[Section]]:
    return isinstance(candidate, type) and issubclass(candidate, Section)


def tables_page() -> str:
    """The page of tables: a chapter per published table, then the internal ones."""
    chapters = [INTRODUCTION]
    chapters += [chapter(name) for name in PUBLISHED]
    chapters.append("# Internal tables\n\nThey cross a stage and are not published.\n")
    chapters += [chapter(name) for name in INTERNAL]
    return "\n".join(chapters)


def chapter(name: str) -> str:
    """One table: what it is, and a row per column with its type, rules and meaning."""
    contract = CONTRACTS[name]
    kind = " *(facts)*" if name in FACTS else ""
    lines = [f"## {name}{kind}", "", inspect.getdoc(contract) or "", f"Contract version {contract.VERSION}.", ""]
    lines += ["| column | type | null | meaning |", "|---|---|---|---|"]
    notes = comments(contract)
    for column, definition in contract.columns().items():
        shown = f"**{column}**" if column in contract.primary_key() else column
        limits = "; ".join(part for part in (rule_text(definition), notes.get(column, "")) if part)
        null = "yes" if definition.nullable else ""
        lines.append(f"| {shown} | {type_text(definition)} | {null} | {limits.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def type_text(definition: dy.Column) -> str:
    """A column's type in DuckDB's words."""
    names = {"String": "VARCHAR", "Float32": "FLOAT", "Float64": "DOUBLE", "Boolean": "BOOLEAN", "Binary": "BLOB"}
    names |= {"Int32": "INTEGER", "Int64": "BIGINT", "UInt16": "USMALLINT", "UInt32": "UINTEGER", "UInt64": "UBIGINT"}
    text = str(definition.dtype)
    if inner := re.fullmatch(r"List\((\w+)\)", text):
        return names.get(inner[1], inner[1]) + "[]"
    return names.get(text, "FLOAT[d]" if text in ("Null", "Unknown") else text)


def rule_text(definition: dy.Column) -> str:
    """A numeric column's range."""
    low, high = getattr(definition, "min", None), getattr(definition, "max", None)
    if low is not None and high is not None:
        return f"{low:g} … {high:g}"
    return f"≥ {low:g}" if low is not None else ""


def comments(contract: type[Contract]) -> dict[str, str]:
    """The comment behind each column in the contract's source, its base contracts' included."""
    found: dict[str, str] = {}
    for base in reversed(contract.__mro__):
        if issubclass(base, Contract) and base is not Contract:
            found |= dict(re.findall(r"^    (\w+) = .*?  # (.+)$", _sources(base.__module__)[base.__name__], re.M))
    return found


@functools.cache
def _sources(module: str) -> dict[str, str]:
    """`{class: source}` of a module, which is parsed once: `inspect.getsource` does so for each class."""
    text = inspect.getsource(sys.modules[module])
    lines = text.splitlines(keepends=True)
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    return {node.name: "".join(lines[node.lineno - 1 : node.end_lineno]) for node in classes}


PAGES = {"tables.md": tables_page, "spec.md": spec_page}

if __name__ == "__main__":
    for page, write in PAGES.items():
        (DOCS / page).write_text(write(), encoding="utf-8")
