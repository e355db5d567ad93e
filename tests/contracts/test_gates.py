"""Gates in words: what a gate may be called, and what a judged one says."""

import pytest

from assay.contracts.gates import complaint, counted, holds, says


@pytest.mark.parametrize("gate, said", [
    ({"value": 63, "max": 50}, "x is 63, wanted at most 50"),
    ({"value": None, "min": 0.5}, "x is absent, wanted at least 0.5"),
    ({"value": 5, "min": 1, "max": 3, "before": 9, "max_rise": 2, "max_fall": 1},
     "x is 5, before 9, wanted at least 1 and at most 3 and at most 2 more than before and at most 1 less than before"),
    ({"value": 0.25, "max": 0.1, "by": "camera", "group": "", "n_broken": 3},
     "x is 0.25 where camera is , wanted at most 0.1, and 2 more groups"),
    ({"value": 9, "max": 1, "by": "split", "group": "test", "n_broken": 2},
     "x is 9 where split is test, wanted at most 1, and 1 more group"),
    ({"value": 1e9, "max": 0}, "x is 1e+09, wanted at most 0"),
])  # fmt: skip
def test_a_judged_gate_in_words(gate, said):
    """What was found, where, what it was before, what was wanted."""
    assert says({"metric": "x", **gate}) == said


def test_a_gate_that_warns_fails_no_night():
    """And one that is broken does, whatever the others say."""
    assert holds([]) and holds([{"ok": False, "level": "warn"}, {"ok": True}])
    assert not holds([{"ok": True}, {"ok": False}])


def test_a_colon_alone_counts_nothing():
    """Only the words that count something stand before one."""
    assert counted("issues:dark") == ("issues", "dark") and counted("new:a:b") == ("new", "a:b")
    assert counted("n_samples") is None and counted("other:dark") is None
    assert complaint("anything", "") is None and complaint("n_samples", "split") is None
    assert complaint("rate:dark", "split") is None
    assert "there is no metric ``" in complaint("new:", "")
