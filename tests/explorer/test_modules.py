"""The page's own modules: readable, without circles, and their unit tests under Node's own runner."""

import shutil
import subprocess
from pathlib import Path

import pytest

from assay.explorer.export import STATIC, in_order

TESTS = Path(__file__).parent.parent / "page"
MODULES = sorted(STATIC.glob("*.js"))
LONGEST_LINE, MOST_LINES = 120, 400


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_modules_pass_their_own_tests():
    """`node --test tests/page`."""
    files = [str(path) for path in sorted(TESTS.glob("*.test.js"))]
    done = subprocess.run(["node", "--test", *files], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


@pytest.mark.parametrize("path", [*MODULES, *sorted(STATIC.glob("*.css"))], ids=lambda path: path.name)
def test_a_module_can_be_read(path):
    """Lines that fit, and a first line that says what the module is for."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert max(len(line) for line in lines) <= LONGEST_LINE
    if path.suffix == ".js":
        assert lines[0].startswith("// ") and len(lines) <= MOST_LINES


def test_every_module_is_part_of_the_page_and_none_goes_in_a_circle():
    """What the page imports, each after what it imports; nothing lies about unused."""
    order = in_order()
    assert set(order) == {path.stem for path in MODULES} and order[-1] == "app"
