"""The command line's words: a night's last ones, and tables that a person reads."""

import sys

import pytest

from assay.report.terminal import last_words, snapshot_lines
from assay.store.progress import duration


class Terminal:
    """Standard output as if a person sat before it."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def isatty(self):
        return True


@pytest.mark.parametrize(("seconds", "said"), [(4.6, "5 s"), (75, "1 min 15 s"), (3600, "1 h"), (7260, "2 h 1 min")])
def test_a_duration_is_said_as_a_person_would(seconds, said):
    """No seconds above an hour."""
    assert duration(seconds) == said


def test_a_night_ends_with_what_it_found_and_what_to_do(digits_night, capsys):
    """The headline's sentence, the time, the report, the next command; nothing of it on standard output."""
    last_words(digits_night, 75)
    out, err = capsys.readouterr()
    said = " ".join(err.split())
    assert out == "" and "images in 10 classes" in said and "took 1 min 15 s" in said
    assert str(digits_night.path / "report.html") in err.replace("\n", "") and "assay explore digits" in said


def test_versions_are_a_table_for_a_person_and_lines_for_a_script(digits_night, capsys, monkeypatch):
    """Rounded numbers under their names in a terminal; in a pipe what scripts have always read."""
    snapshot_lines([digits_night])
    plain = capsys.readouterr().out
    assert plain.startswith("v00000001  ") and "n_samples=" in plain and len(plain.splitlines()) == 1
    monkeypatch.setattr(sys, "stdout", Terminal(sys.stdout))
    snapshot_lines([digits_night])
    shown = capsys.readouterr().out
    assert "samples" in shown and "n_samples" not in shown and "v1 " in shown
