"""`python -m data_contracts.document` writes docs/tables.md from the contracts, so that it cannot be wrong."""

import inspect
import re
from pathlib import Path

from data_contracts.tables import CONTRACTS, FACTS, INTERNAL, PUBLISHED, Contract

TARGET = Path(__file__).parents[1] / "docs" / "tables.md"
INTRODUCTION = """# The tables

Written by `python -m data_contracts.document` from `data_contracts/tables.py`; a test holds it to that.

`assay query DATASET "SQL"` and plain `duckdb HOME/DATASET/catalog.duckdb` show every published table of the newest
snapshot by its name, and `history.TABLE` across all snapshots with the column `snapshot`. Every score runs from
0 (clean) to 1 (surely an issue), and means the same from night to night. **Bold** columns are the key.
Facts are keyed by content and shared between snapshots: join them from `samples` by `content_hash`.
"""


def document() -> str:
    """The page: a chapter per published table, then the internal ones."""
    chapters = [INTRODUCTION]
    chapters += [chapter(name) for name in PUBLISHED]
    chapters.append("# Internal tables\n\nThey cross a stage and are not published.\n")
    chapters += [chapter(name) for name in INTERNAL]
    return "\n".join(chapters)


def chapter(name: str) -> str:
    """One table: what it is, and a row per column with its type, rules and meaning."""
    contract = CONTRACTS[name]
    kind = " *(facts)*" if name in FACTS else ""
    lines = [f"## {name}{kind}", "", inspect.getdoc(contract), f"Contract version {contract.VERSION}.", ""]
    lines += ["| column | type | null | meaning |", "|---|---|---|---|"]
    notes = comments(contract)
    for column, definition in contract.columns().items():
        shown = f"**{column}**" if column in contract.primary_key() else column
        limits = "; ".join(part for part in (rule_text(definition), notes.get(column, "")) if part)
        null = "yes" if definition.nullable else ""
        lines.append(f"| {shown} | {type_text(definition)} | {null} | {limits.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


def type_text(definition) -> str:
    """A column's type in DuckDB's words."""
    names = {"String": "VARCHAR", "Float32": "FLOAT", "Float64": "DOUBLE", "Boolean": "BOOLEAN", "Binary": "BLOB"}
    names |= {"Int32": "INTEGER", "Int64": "BIGINT", "UInt16": "USMALLINT", "UInt32": "UINTEGER", "UInt64": "UBIGINT"}
    text = str(definition.dtype)
    if inner := re.fullmatch(r"List\((\w+)\)", text):
        return names.get(inner[1], inner[1]) + "[]"
    return names.get(text, "FLOAT[d]" if text in ("Null", "Unknown") else text)


def rule_text(definition) -> str:
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
            found |= dict(re.findall(r"^    (\w+) = .*?  # (.+)$", inspect.getsource(base), re.M))
    return found


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
