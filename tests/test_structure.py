"""The house is as the design says: one-way imports, documented modules, a true tree in the README."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("assay", "tasks", "flows")
LONGEST_FUNCTION = 50  # lines
FLOORS = (  # from the ground up; a module imports what lies on a lower floor, or in its own room
    ("assay.contracts",),
    ("assay.store",),
    ("assay.engines",),
    ("assay.sources", "assay.knn", "assay.layouts", "assay.remote"),
    ("assay.modalities", "assay.metrics", "assay.health"),
    ("assay.facts", "assay.duplicates", "assay.embedders", "assay.reading", "assay.judge"),
    ("assay.exporting",),
    ("assay.report", "assay.explorer"),
    ("assay.publishing",),
    ("assay.operating",),
    ("assay.night",),
    ("assay.selftest", "assay.checking", "assay.choosing"),
    ("tasks",),
    ("flows",),
    ("assay.rim", "assay.api", "assay.stopping"),
    ("assay.cli", "assay"),
    ("assay.__main__",),
)
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@functools.cache
def parsed(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text())


def imports(path: Path) -> set[str]:
    """Every dotted name that a module imports."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(name: str) -> tuple[int, str]:
    """The floor and the room of a dotted module name."""
    for height, rooms in enumerate(FLOORS):
        for where in rooms:
            if name == where or (where != "assay" and name.startswith(where + ".")):
                return height, where
    return len(FLOORS) - 1, "assay"


def dotted(path: Path) -> str:
    """The module's name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    """No module imports one of a higher floor, or of another room on its own floor."""
    height, where = room(dotted(path))
    for name in imports(path):
        if name.split(".")[0] in PACKAGES and name != "assay":
            other_height, other = room(name)
            assert other == where or other_height < height, f"{name} is not below {where}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_and_public_function_has_a_docstring(path):
    """A reader finds out what a thing is for without reading its body."""
    if path.stat().st_size == 0:
        return
    tree = parsed(path)
    assert ast.get_docstring(tree), "module docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_unpickles_or_evaluates(path):
    """No pickle, eval, exec or shell: nobody's data is run as code."""
    tree = parsed(path)
    assert not imports(path) & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            assert not (isinstance(node.func, ast.Name) and name in {"eval", "exec"})
            assert not any(
                keyword.arg in {"shell", "allow_pickle"} and getattr(keyword.value, "value", None) is True
                for keyword in node.keywords
            )


@pytest.mark.parametrize("path", sorted((ROOT / "assay").rglob("*.sql")), ids=lambda path: path.name)
def test_a_sql_file_is_one_lower_case_select(path):
    """One file, one SELECT; no statement that changes anything."""
    text = re.sub(r"--.*", "", path.read_text())
    bare = re.sub(r"'[^']*'", "''", text)
    assert bare.strip().startswith(("with", "select"))
    assert ";" not in bare.strip().rstrip(";")
    assert not re.search(r"\b(SELECT|FROM|WHERE|JOIN|GROUP BY)\b", bare)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_compares_the_name_of_a_modality(path):
    """What differs between kinds of data stands in their rooms; the rest asks the record."""
    where = dotted(path)
    if where.startswith(("assay.modalities", "assay.contracts")):
        return
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            names = {getattr(side, "attr", getattr(side, "id", "")) for side in sides}
            words = {side.value for side in sides if isinstance(side, ast.Constant)}
            assert not ("modality" in names and words), ast.unparse(node)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_function_fits_on_a_screen(path):
    """At most fifty lines, its docstring included."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name


def test_the_tree_in_the_readme_is_true():
    """Every path that the README's tree names is there, those inside the library too; and no folder is left out."""
    tree = re.search(r"```\n(pyproject\.toml.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert tree, "the README shows the tree"
    named, folder = set(), ROOT
    for line in tree[1].splitlines():
        indent, words = re.match(r"( *)((?:[\w.]+/?  ?(?=[\w.]+/)|[\w.]+/?)+)", line).groups()
        for name in words.split():
            path = (folder if indent else ROOT) / name
            assert path.exists(), path
            named.add(path.relative_to(ROOT).as_posix())
        folder = folder if indent else path
    rooms = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "assay").glob("*/__init__.py")}
    assert rooms | set(PACKAGES) <= named


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/tour.md"])
def test_files_that_a_page_names_are_there(page):
    """`assay/knn/stage.py`, `store/digests.py`, docs/api.md: from the root, or inside the library."""
    text = (ROOT / page).read_text()
    names = set(re.findall(r"`((?:[\w-]+/)*[\w.-]+\.(?:py|sql|md|yaml|toml|json))`", text))
    names |= set(
        re.findall(r"`((?:assay|flows|tasks|tests|docs|deploy|benchmarks|data_contracts)(?:/[\w-]+)*/)`", text)
    )
    names |= {(ROOT / page).parent / name for name in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", text)}
    for name in names:
        if not re.search("SPEC|STAGE|HOME", str(name)):  # made by a night, not in the repository
            assert any((place / name).exists() for place in (ROOT, ROOT / "assay", ROOT / "assay/modalities")), name
