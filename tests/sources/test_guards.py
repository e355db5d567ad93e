"""What stops a night: each with what was found, what was wanted, and what to do."""

import json
import os

import pytest

from assay.contracts.errors import SourceError
from assay.sources.files import LocalSource


def publish(tmp_path, version: int, n: int | None) -> None:
    """A published snapshot's manifest with `n` samples, or a broken one."""
    folder = tmp_path / "home/d/snapshots" / f"v{version:08d}"
    folder.mkdir(parents=True)
    text = "{" if n is None else json.dumps({"tables": {"samples": {"rows": n}}})
    (folder / "manifest.json").write_text(text)


def plant(folder, n: int) -> None:
    """`n` image files of different content."""
    for number in range(n):
        (folder / f"{number}.png").write_text(str(number))


FOLDER = {"kind": "folder", "path": "."}


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"kind": "folder", "path": "absent"}, "no folder at"),
        ({"kind": "table", "path": "absent.csv"}, "not_found"),
        ({"kind": "table", "path": "absent/*.csv"}, "no source at"),
        ({"kind": "table", "path": "*.csv"}, "no table matches"),
        ({"kind": "table", "path": "empty.csv"}, "empty"),
        ({"kind": "table", "path": "table.xlsx"}, "extension"),
        ({"kind": "table", "files": {"a": "absent.csv"}}, "not_found"),
        ({"kind": "table", "path": "fifo.csv"}, "not_a_file"),
        ({"kind": "folder", "path": "file.txt"}, "no folder at"),
        ({"kind": "folder", "path": "nothing"}, "empty"),
    ],
)
def test_a_source_that_is_not_there(run, data, section, message):
    """Missing, empty, of an unknown kind or no file at all."""
    (data / "nothing").mkdir()
    (data / "nothing" / ".hidden").write_text("x")
    (data / "file.txt").write_text("x")
    (data / "table.xlsx").write_text("x")
    if section["path" if "path" in section else "files"] != "*.csv":
        (data / "empty.csv").write_text("")
        os.mkfifo(data / "fifo.csv")
    with pytest.raises(SourceError, match=message):
        run(section, "text")


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_the_ready_file(run, data, kind):
    """Nothing starts before it stands beside the data; it is no sample itself."""
    plant(data, 2)
    (data / "t.csv").write_text("uri\n0.png\n1.png\n")
    section = {
        "kind": kind,
        "path": "." if kind == "folder" else "t.csv",
        "ready_file": "_SUCCESS",
        "exclude": ["*.csv"],
    }
    with pytest.raises(SourceError, match="_SUCCESS"):
        run(section, "image")
    (data / "_SUCCESS").write_text("done")
    assert len(run(section, "image").read("ingested")) == 2


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_a_file_that_changes_while_it_is_read(run, data, monkeypatch, kind):
    """Somebody is still writing: the night stops."""
    plant(data, 3)
    (data / "t.csv").write_text("text\na\nb\n")
    real = LocalSource.digest

    def growing(self, uri):
        found = real(self, uri)
        if uri in ("1.png", "t.csv"):
            with open(self.path(uri), "a") as file:
                file.write("more\n")
        return found

    monkeypatch.setattr(LocalSource, "digest", growing)
    section = {**FOLDER, "exclude": ["*.csv"]} if kind == "folder" else {"kind": "table", "path": "t.csv"}
    with pytest.raises(SourceError, match="changed while it was read"):
        run(section, "image" if kind == "folder" else "text")
    monkeypatch.undo()
    run(section, "image" if kind == "folder" else "text")


def test_a_file_that_vanishes_is_one_reject(run, data, monkeypatch, reasons):
    """Between listing and reading a file may go; the others stay."""
    plant(data, 3)
    real = LocalSource.digest

    def vanishing(self, uri):
        if uri == "1.png":
            os.unlink(self.path(uri))
        return real(self, uri)

    monkeypatch.setattr(LocalSource, "digest", vanishing)
    output = run(FOLDER, "image")
    assert reasons(output) == ["not_found"] and len(output.read("ingested")) == 2


def test_a_source_that_shrank(run, data, tmp_path):
    """Fewer than half of the last snapshot's samples stop the night, also when the stage itself is a cache hit."""
    plant(data, 4)
    run(FOLDER, "image")
    publish(tmp_path, 1, 100)
    publish(tmp_path, 2, 9)
    publish(tmp_path, 3, None)  # broken: the one before it counts
    with pytest.raises(SourceError, match=r"from 9 samples .* to 4, wanted at least"):
        run(FOLDER, "image")
    assert len(run({**FOLDER, "max_shrink": 0.6}, "image").read("ingested")) == 4
    plant(data, 5)
    assert len(run(FOLDER, "image").read("ingested")) == 5


def test_all_rows_rejected(run, data):
    """The message has the commonest reasons and an example."""
    for name in "ab":
        (data / f"{name}.png").write_text("")
    with pytest.raises(SourceError, match=r"all 2 samples .*2 empty_file .*a\.png"):
        run(FOLDER, "image")


def test_too_many_rows_rejected(run, data):
    """More than `max_rejects` stop the night, and the count is of this source."""
    plant(data, 2)
    for name in "abc":
        (data / f"{name}.png").write_text("")
    with pytest.raises(SourceError, match="3 of 5 samples"):
        run({**FOLDER, "max_rejects": 0.5}, "image")
    assert len(run({**FOLDER, "max_rejects": 0.6}, "image").read("ingested")) == 2
