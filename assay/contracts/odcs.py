"""`python -m assay.contracts.odcs` writes `data_contracts/`: the typed contracts in the field's own form.

One file a published table in the Open Data Contract Standard 3 (bitol.io), and the JSON Schema of the spec, with which
an editor completes and checks it. The classes in `tables.py` and `spec.py` are the one truth; a test says that the
files are fresh.
"""

import functools
import inspect
import json
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from assay.contracts.document import comments, type_text
from assay.contracts.frames import dy
from assay.contracts.spec import Spec
from assay.contracts.tables import CONTRACTS, FACTS, PUBLISHED

FOLDER = Path(__file__).parents[2] / "data_contracts"
STANDARD = "v3.0.2"
LOGICAL = {  # Polars' types in the standard's words; anything else is a number or a list
    pl.String: "string", pl.Boolean: "boolean", pl.Binary: "string", pl.Datetime: "date", pl.Date: "date",
    pl.List: "array", pl.Array: "array", pl.Null: "array",
}  # fmt: skip


def contract_of(name: str) -> dict[str, Any]:
    """The contract of a table as the standard's document."""
    contract = CONTRACTS[name]
    notes, key = comments(contract), list(contract.primary_key())
    properties = [
        _property(column, definition, key, notes.get(column, "")) for column, definition in contract.columns().items()
    ]
    table = {
        "name": name,
        "physicalName": name,
        "physicalType": "table",
        "description": " ".join((inspect.getdoc(contract) or "").split()),
        "tags": ["facts"] if name in FACTS else ["view"],
        "properties": properties,
    }
    server = {"server": "snapshot", "type": "local", "path": f"./{name}/*.parquet", "format": "parquet"}
    return {
        "apiVersion": STANDARD,
        "kind": "DataContract",
        "id": f"assay:{name}",
        "name": name,
        "version": f"{contract.VERSION}.0.0",
        "status": "active",
        "description": {"purpose": table["description"]},
        "servers": [server],
        "schema": [table],
    }


def _property(column: str, definition: dy.Column, key: list[str], note: str) -> dict[str, Any]:
    """One column as a property of the standard."""
    found: dict[str, Any] = {
        "name": column,
        "logicalType": LOGICAL.get(definition.dtype.base_type(), _number(definition.dtype)),
        "physicalType": type_text(definition),
        "required": not definition.nullable,
    }
    if column in key:
        found |= {"primaryKey": True, "primaryKeyPosition": key.index(column) + 1}
    limits = {
        "minimum": getattr(definition, "min", None),
        "maximum": getattr(definition, "max", None),
        "minLength": getattr(definition, "min_length", None),
        "maxLength": getattr(definition, "max_length", None),
    }
    wanted = ("minLength", "maxLength") if found["logicalType"] == "string" else ("minimum", "maximum")
    options = {name: limits[name] for name in wanted if limits[name] is not None}
    if options and found["logicalType"] != "array":
        found["logicalTypeOptions"] = options
    if note:
        found["description"] = note
    return found


def _number(dtype: pl.DataType) -> str:
    return "integer" if dtype.is_integer() else "number"


@functools.cache
def contract_text(name: str) -> str:
    """The contract's file."""
    plain = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(contract_of(name), Dumper=plain, sort_keys=False, allow_unicode=True, width=120))


def spec_schema() -> str:
    """The spec's JSON Schema file."""
    schema = Spec.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "assay dataset spec"
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """Name → text of every generated file."""
    return {f"{name}.odcs.yaml": contract_text(name) for name in PUBLISHED} | {"spec.schema.json": spec_schema()}


def main() -> None:
    """Write them, and remove those of tables that are no more."""
    written = files()
    for old in FOLDER.glob("*.odcs.yaml"):
        if old.name not in written:
            old.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
