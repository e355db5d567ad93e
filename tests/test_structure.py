"""The house is as the design says: one-way imports, documented modules, a true tree in the README."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("data_contracts", "tasks", "flows", "explorer")
ALLOWED = {  # package: what it may import of ours
    "data_contracts": {"data_contracts"},
    "tasks": {"data_contracts", "tasks"},
    "flows": {"data_contracts", "tasks", "flows", "explorer"},
    "explorer": {"data_contracts", "tasks", "explorer"},
}
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
STAGES = ("ingest", "clean", "dedup", "embed", "index", "project", "metrics", "validate", "publish")


def imports(path: Path) -> set[str]:
    """Every dotted name that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path):
    """flows → tasks → data_contracts; a stage never imports another stage; only its __init__ speaks of Prefect."""
    parts = path.relative_to(ROOT).parts
    ours = {name for name in imports(path) if name.split(".")[0] in PACKAGES}
    assert {name.split(".")[0] for name in ours} <= ALLOWED[parts[0]]
    if parts[0] == "tasks" and parts[1] in STAGES:
        others = {name for name in ours if name.startswith("tasks.") and name.split(".")[1] in STAGES}
        assert all(name.split(".")[1] == parts[1] for name in others), others
        if path.name != "__init__.py":
            assert not any(name.split(".")[0] == "prefect" or name == "tasks.policy" for name in imports(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_and_public_function_has_a_docstring(path):
    """A reader finds out what a thing is for without reading its body."""
    if path.stat().st_size == 0:
        return
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "module docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nobody_unpickles_or_evaluates(path):
    """No pickle, eval, exec or shell: nobody's data is run as code."""
    tree = ast.parse(path.read_text())
    assert not imports(path) & {"pickle", "cloudpickle", "dill", "marshal", "shelve"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            assert not (isinstance(node.func, ast.Name) and name in {"eval", "exec"})
            assert not any(
                keyword.arg in {"shell", "allow_pickle"} and getattr(keyword.value, "value", None) is True
                for keyword in node.keywords
            )


@pytest.mark.parametrize("path", sorted((ROOT / "tasks").rglob("*.sql")), ids=lambda path: path.name)
def test_a_sql_file_is_one_lower_case_select(path):
    """One file, one SELECT; no statement that changes anything."""
    text = re.sub(r"--.*", "", path.read_text())
    bare = re.sub(r"'[^']*'", "''", text)
    assert bare.strip().startswith(("with", "select"))
    assert ";" not in bare.strip().rstrip(";")
    assert not re.search(r"\b(SELECT|FROM|WHERE|JOIN|GROUP BY)\b", bare)


def test_the_tree_in_the_readme_is_true():
    """Every path that the README's tree names is there."""
    tree = re.search(r"```\n(pyproject\.toml.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert tree, "the README shows the tree"
    for line in tree[1].splitlines():
        for name in re.findall(r"^(\S+)", line):
            assert (ROOT / name).exists(), name
