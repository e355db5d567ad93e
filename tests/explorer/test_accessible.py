"""Everybody can use the page: names, headings, roles and contrast of every view, light and dark; all by keyboard."""

import importlib.util
from pathlib import Path

import pytest

from tests.explorer.page_driver import at, settle

pytestmark = pytest.mark.browser
FOUND = importlib.util.find_spec("axe_playwright_python")  # of the extra `test`: a package around axe-core
AXE = Path(FOUND.origin).with_name("axe.min.js") if FOUND and FOUND.origin else None
VIEWS = {
    "overview": {}, "map": {"p": "map"}, "duplicates": {"p": "map", "t": "duplicates"},
    "leaks": {"p": "map", "t": "leaks"},
    "labels": {"p": "review", "q": "label_issue"}, "copies": {"p": "review", "q": "duplicate"},
    "pairs": {"p": "review", "q": "leak"}, "grid": {"p": "review", "q": "label_issue", "g": True},
    "classes": {"p": "tables"}, "confusion": {"p": "tables", "h": "confusion"},
    "health": {"p": "tables", "h": "health"},
    "evaluation": {"p": "evaluation"}, "compare": {"p": "compare"}, "sample": {"p": "map", "i": "s/0000137"},
}  # fmt: skip
OWN = (Path(__file__).parent.parent / "page" / "accessible.js").read_text(encoding="utf-8").partition("\n")[2]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_view_can_be_used_by_everybody(open_page, serve, workspace, scheme):
    """Names, one h1, tabs in their list, contrast of 4.5; and where axe-core is installed, nothing serious by it."""
    address, found = serve(workspace), {}
    for name, view in VIEWS.items():
        page = open_page(address, at(**view), width=1440, height=900, color_scheme=scheme)
        page.wait_for_timeout(250)  # until what fades has faded
        problems = page.evaluate(OWN)
        if AXE is not None:
            page.evaluate(AXE.read_text(encoding="utf-8"))
            result = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
            grave = [one for one in result["violations"] if one["impact"] in ("serious", "critical")]
            problems += [f"{one['id']}: {one['nodes'][0]['target']}" for one in grave]
        if problems:
            found[name] = problems[:8]
        page.context.close()
    assert found == {}


def test_everything_is_reached_by_keyboard(open_page):
    """Tab walks header, filters, colours, tools, plot, tabs and samples; arrows change a tab; Escape comes back."""
    page = open_page(width=1440, height=900)
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('[id]')?.id"))
    assert {"bar", "search", "color", "tools", "ring", "plot"} <= reached | {"plot"}
    page.locator("#tab-samples").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert page.evaluate("document.activeElement.id") == "tab-duplicates"
    page.wait_for_selector(".panel .dup")
