"""docs/notebook.ipynb: what it shows is what its cells make, and it names no machine."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="the notebook is run with nbclient, of the extra `test`")

DOCS = Path(__file__).parents[2] / "docs"
NOTEBOOK = DOCS / "notebook.ipynb"


@pytest.fixture(scope="module")
def maker():
    """docs/notebook.py."""
    spec = importlib.util.spec_from_file_location("notebook", DOCS / "notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(cells, form: str) -> list[str]:
    """All outputs of one form."""
    found = [output.get("data", {}).get(form) for cell in cells for output in cell.get("outputs", [])]
    return ["".join(one) for one in found if one is not None]


def test_the_notebook_has_the_cells_of_its_script(maker):
    """Run, and not changed by hand since: `python docs/notebook.py` makes it."""
    kept, made = json.loads(NOTEBOOK.read_text()), maker.make_notebook()
    assert ["".join(cell["source"]) for cell in kept["cells"]] == [cell["source"] for cell in made.cells]
    code = [cell for cell in kept["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))


def test_what_is_kept_is_small_and_names_no_machine():
    """Tables and one picture; no warning, no error, no path, no time."""
    text = NOTEBOOK.read_text()
    cells = json.loads(text)["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert {output["output_type"] for output in outputs} == {"execute_result"}
    assert len(shown(cells, "image/png")) == 1 and len(shown(cells, "text/html")) >= 4
    assert len(text) < 60_000
    said = "".join(shown(cells, "text/html") + shown(cells, "text/plain"))
    assert not re.search(r"/(tmp|home|root|usr|work|Users)/|Warning|Traceback", said)


def test_its_cells_run_top_to_bottom(maker, tmp_path):
    """In a process of its own, offline; most of the wrong labels are found, and nothing is left behind."""
    run = maker.run_cells(maker.make_notebook(), tmp_path)
    (found,) = [text for text in shown(run.cells, "text/plain") if "'found'" in text]
    assert int(re.search(r"'found': (\d+)", found)[1]) >= 30
    assert list(tmp_path.iterdir()) == []
