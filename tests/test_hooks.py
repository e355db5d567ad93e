""".pre-commit-config.yaml: local commands alone, each of which passes what is right and stops what is not."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
(REPOSITORY,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
HOOKS = {hook["id"]: hook for hook in REPOSITORY["hooks"]}
RIGHT = '"""A module."""\n\n\ndef double(n: int) -> int:\n    """Twice."""\n    return 2 * n\n'


def run(hook: str, tree: Path) -> tuple[int, bool]:
    """A hook's exit status over a tree as pre-commit calls it, and whether it changed a file, which stops a commit."""
    words = shlex.split(HOOKS[hook]["entry"])
    if HOOKS[hook].get("pass_filenames", True):
        words += [str(path.relative_to(tree)) for path in sorted(tree.rglob("*.py"))]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    before = contents(tree)
    done = subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, contents(tree) != before


def contents(tree: Path) -> dict[Path, bytes]:
    """All files but caches."""
    return {path: path.read_bytes() for path in tree.rglob("*") if path.is_file() and "_cache" not in str(path.parent)}


@pytest.fixture
def small(tmp_path) -> Path:
    """A tree with our settings and a module in each package."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("assay", "flows", "tasks"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "one.py").write_text(RIGHT)
    (tmp_path / "assay" / "__init__.py").touch()  # this one, and not the whole library that is installed
    return tmp_path


@pytest.fixture
def contracts(tmp_path) -> Path:
    """The library and what is generated of its contracts."""
    shutil.copytree(ROOT / "assay", tmp_path / "assay", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data_contracts", tmp_path / "data_contracts")
    (tmp_path / "docs").mkdir()
    for page in ("tables.md", "spec.md"):
        shutil.copy(ROOT / "docs" / page, tmp_path / "docs")
    return tmp_path


def test_every_hook_is_local():
    """Nothing is fetched, and CONTRIBUTING.md tells of them."""
    assert REPOSITORY["repo"] == "local" and {hook["language"] for hook in HOOKS.values()} == {"system"}
    assert "pre-commit" in (ROOT / "CONTRIBUTING.md").read_text()


@pytest.mark.parametrize(
    ("hook", "wrong"),
    [
        ("ruff-check", RIGHT + "import os\n"),
        ("ruff-format", RIGHT.replace("2 * n", "2*n")),
        ("mypy", RIGHT.replace("2 * n", "str(n)")),
    ],
)
def test_a_hook_of_code_stops_what_is_wrong(small, hook, wrong):
    """An import out of place, a spacing, a type."""
    assert run(hook, small) == (0, False)
    (small / "flows" / "one.py").write_text(wrong)
    assert run(hook, small) != (0, False)


def test_the_hooks_of_contracts_pass_on_what_is_committed(contracts):
    """Locked, documented and written out; a contract that is changed under its old version is stopped."""
    hooks = [name for name in HOOKS if name.startswith("contracts-")]
    assert len(hooks) == 3 and all(run(hook, contracts) == (0, False) for hook in hooks)
    tables = contracts / "assay/contracts/tables.py"
    text = tables.read_text()
    changed = text.replace("    other_split = ", "    another_split = ", 1)
    assert changed != text
    tables.write_text(changed)
    assert run("contracts-lock", contracts) == (1, False)
    assert run("contracts-tables", contracts) == (0, True) and run("contracts-odcs", contracts) == (0, True)
