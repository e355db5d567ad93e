"""`assay demo`: the digits are written once, the pipeline finds what was planted, and the table says so."""

import contextlib
import io
from dataclasses import replace

import polars as pl
import pytest

import assay.selftest.demo as demo
from assay.contracts.errors import SpecError
from assay.contracts.modality import find_modality
from assay.contracts.spec import load_spec
from assay.modalities.image import digits
from assay.selftest.count import Judged
from assay.selftest.example import write_example

N = 400


def few(patch: pytest.MonkeyPatch, n: int) -> None:
    """Only the first `n` digits."""
    patch.setattr(digits, "digit_samples", lambda seed, all_digits=digits.digit_samples: all_digits(seed, n))


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory):
    """The demonstration on fewer digits; the snapshot and what was printed."""
    home, printed = tmp_path_factory.mktemp("home"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        few(patch, N)
        snapshot = demo.run_demo(home)
    return home, snapshot, printed.getvalue()


def row(text: str, name: str) -> list[int]:
    """Planted, found, missed and wrong of one line of the table."""
    line = next(line for line in text.splitlines() if line.startswith(name + " "))
    return [int(word) for word in line.removeprefix(name).split() if word.isdigit()]


def test_it_finds_most_of_what_was_planted(small_demo):
    """Broken, dark, bright and copied files are all found; most flipped labels are."""
    _, _, text = small_demo
    for name in ("unreadable files", "exact duplicates", "leaks", "dark", "bright"):
        planted, found, missed, _ = row(text, name)
        assert planted == found > 0 and missed == 0, name
    planted, found, _, wrong = row(text, "label issues")
    assert found >= 0.6 * planted and wrong <= planted


def test_it_ends_with_where_to_look_and_what_to_ask(small_demo):
    """The snapshot, its report, the explorer and three queries that run."""
    home, snapshot, text = small_demo
    assert str(snapshot.path) in text and (snapshot.path / "report.html").stat().st_size > 50_000
    assert f"assay explore digits --home {home}" in text
    connection = snapshot.connect()
    for query in demo.QUERIES:
        assert query in text
        assert connection.sql(query).fetchall()


def test_the_data_are_written_once(small_demo):
    """A second demo finds the files as they are: nothing is newer."""
    home, _, _ = small_demo
    folder = home / "demo-data" / "image"
    files = sorted((folder / "digits").rglob("*.*"))
    before = [file.stat().st_mtime_ns for file in files]
    spec, truth = write_example(find_modality("image"), folder)
    assert [file.stat().st_mtime_ns for file in files] == before
    assert spec.name == "digits.toml" and set(truth.columns) == {"uri", "kind", "of", "true_label"}


def test_a_half_written_corpus_is_written_again(tmp_path, monkeypatch):
    """The stamp comes last, so that a demo that was killed while writing starts over."""
    few(monkeypatch, 20)
    write_example(find_modality("image"), tmp_path)
    (tmp_path / "written.json").unlink()
    victim = next((tmp_path / "digits").rglob("*.png"))
    victim.write_bytes(b"half")
    write_example(find_modality("image"), tmp_path)
    assert victim.read_bytes() != b"half"


@pytest.mark.parametrize("name", ["text", "vectors", "graph"])
def test_other_kinds_of_data_have_an_example_too(tmp_path, name):
    """Tables with every planted defect in them, and a spec that loads."""
    modality = find_modality(name)
    spec, truth = write_example(modality, tmp_path)
    assert load_spec(spec).modality == name and set(truth["kind"]) == set(modality.defects)


def test_made_files_have_an_example_too(tmp_path, monkeypatch):
    """Words and scenes, with every planted defect among them."""
    from assay.modalities.audio import words

    modality = find_modality("audio")
    monkeypatch.setattr(words, "word_samples", lambda seed, all_words=words.word_samples: all_words(seed, 6))
    spec, truth = write_example(modality, tmp_path / "audio")
    assert load_spec(spec).modality == "audio" and set(truth["kind"]) == set(modality.defects)
    pytest.importorskip("av")
    from assay.modalities.video import scenes

    modality = find_modality("video")
    monkeypatch.setattr(scenes, "scene_samples", lambda seed, all_scenes=scenes.scene_samples: all_scenes(seed, 8))
    spec, truth = write_example(modality, tmp_path / "video")
    assert load_spec(spec).modality == "video" and set(truth["kind"]) == set(modality.defects)


def test_a_kind_without_an_example_is_refused(tmp_path):
    """The message names those that have one."""
    with pytest.raises(SpecError, match="no example of 'bare'; there are image,"):
        write_example(replace(find_modality("vectors"), name="bare", example=None), tmp_path)


def test_the_table_has_a_line_per_detector_and_kind():
    """Counts, and dashes where a share is not defined."""
    kinds = pl.DataFrame(
        [("near duplicates", "cropped", 2, 1), ("near duplicates", "resized", 2, 2)],
        schema=["detector", "kind", "planted", "found"],
        orient="row",
    )
    text = demo.found_table(
        [Judged("near duplicates", 4, 3, 1, None, None, None), Judged("dark", 2, 0, 0, *[None] * 3)], kinds
    )
    assert row(text, "near duplicates") == [4, 3, 1, 1] and "0.75" in text
    assert row(text, "  cropped") == [2, 1, 1]
    assert next(line for line in text.splitlines() if line.startswith("dark")).split()[-2:] == ["–", "0.00"]
