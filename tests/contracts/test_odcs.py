"""The contracts as files of the Open Data Contract Standard: valid, fresh, and kept by what is published."""

import json
from pathlib import Path

import jsonschema
import open_data_contract_standard
import pytest
import yaml

from assay.contracts import odcs
from assay.contracts.spec import make_spec
from assay.contracts.tables import CONTRACTS, PUBLISHED
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy

STANDARD = json.loads((Path(open_data_contract_standard.__file__).with_name("schema.json")).read_text())
VALID = jsonschema.validators.validator_for(STANDARD)(STANDARD)  # `jsonschema.validate` looks at the schema each time


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_contract_is_valid(name):
    """By the standard's own schema; every column is there, with its key."""
    document = yaml.safe_load(odcs.contract_text(name))
    VALID.validate(document)
    (table,) = document["schema"]
    assert [column["name"] for column in table["properties"]] == list(CONTRACTS[name].columns())
    assert [c["name"] for c in table["properties"] if c.get("primaryKey")] == list(CONTRACTS[name].primary_key())


def test_the_files_are_fresh():
    """`python -m assay.contracts.odcs` would change nothing."""
    there = {p.name: p.read_text(encoding="utf-8") for p in odcs.FOLDER.glob("*.*") if p.name != "lock.json"}
    assert there == odcs.files()


def test_a_snapshot_carries_the_contracts_that_it_was_written_under(tmp_path):
    """One for each of its tables, with the version that the manifest names."""
    snapshot = publish_toy(Workspace(tmp_path, "toy"), ["a"])
    for name, entry in snapshot.manifest["tables"].items():
        document = yaml.safe_load((snapshot.path / "contracts" / f"{name}.odcs.yaml").read_text(encoding="utf-8"))
        assert document["version"] == f"{entry['contract']}.0.0"


def test_the_schema_of_a_spec_takes_what_the_loader_takes(tmp_path):
    """And refuses a misspelt key, as an editor should."""
    schema = json.loads(odcs.spec_schema())
    good = {"name": "pets", "modality": "image", "source": {"kind": "folder", "path": "pets"}, "index": {"k": 20}}
    make_spec(good, tmp_path)
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good | {"indx": {}}, schema)
