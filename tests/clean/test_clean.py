"""The clean stage: what goes on, what is rejected, what is remembered, what a killed run keeps."""

import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.contracts import modality
from assay.contracts.errors import SourceError
from assay.contracts.modality import find_modality
from assay.contracts.spec import make_spec
from assay.facts import chunks, clean, method
from assay.modalities.image.decode import decode_rgb
from assay.modalities.image.modality import IMAGE
from tests.clean.conftest import image_spec, ingest_folder, ingest_rows, ingest_texts, text_spec


def write_images(folder, n: int, start: int = 0) -> None:
    for i in range(start, start + n):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (20, 30, 3)).astype(np.uint8)).save(
            folder / f"{i:04d}.png"
        )


@pytest.fixture
def decoded(monkeypatch):
    """The number of decodes so far, as the length of a list."""
    calls = []

    def counted(data, max_pixels, **options):
        calls.append(len(data))
        return decode_rgb(data, max_pixels, **options)

    monkeypatch.setattr("assay.modalities.image.facts.decode_rgb", counted)
    return calls


def test_samples_facts_and_rejects(workspace, folder):
    """Good files go on with their group columns and facts; a bad one is in rejects only, with its reason."""
    write_images(folder, 3)
    (folder / "0001.png").write_bytes(b"")
    ingested = ingest_folder(workspace, folder, camera=lambda name: f"camera of {name}")
    output = clean(image_spec(folder), workspace, ingested)
    samples = output.read("samples")
    assert samples["uri"].to_list() == ["0000.png", "0002.png"]
    assert samples["camera"].to_list() == ["camera of 0000.png", "camera of 0002.png"]
    assert set(output.read("image_facts")["content_hash"]) == set(samples["content_hash"])
    assert output.read("rejects").select("uri", "stage", "reason").rows() == [("0001.png", "clean", "zero_bytes")]


def test_an_unchanged_night_decodes_nothing(workspace, folder, decoded):
    """Neither good nor damaged contents are decoded again, even where the stage's own output is gone."""
    write_images(folder, 6)
    (folder / "bad.png").write_bytes(b"not an image")
    ingested = ingest_folder(workspace, folder)
    first = clean(image_spec(folder), workspace, ingested)
    assert len(decoded) == 7
    kept = {table: first.read(table) for table in first.tables}
    shutil.rmtree(first.path)
    second = clean(image_spec(folder), workspace, ingested)
    assert len(decoded) == 7
    assert all(second.read(table).equals(frame) for table, frame in kept.items())


def test_only_new_contents_are_decoded(workspace, folder, decoded):
    """A night with one more file decodes one; copies of a content are decoded once."""
    write_images(folder, 4)
    shutil.copy(folder / "0000.png", folder / "copy.png")
    clean(image_spec(folder), workspace, ingest_folder(workspace, folder))
    assert len(decoded) == 4
    write_images(folder, 1, start=4)
    output = clean(image_spec(folder), workspace, ingest_folder(workspace, folder))
    assert len(decoded) == 5
    assert output.read("samples").height == 6


def test_a_setting_that_facts_depend_on_measures_anew(workspace, folder, decoded):
    """Another thumbnail size is another fact."""
    write_images(folder, 2)
    ingested = ingest_folder(workspace, folder)
    clean(image_spec(folder), workspace, ingested)
    clean(image_spec(folder, clean={"thumbnail_pixels": 20}), workspace, ingested)
    assert len(decoded) == 4


def test_a_killed_run_keeps_its_chunks_and_ends_as_an_undisturbed_one(tmp_path, workspace, folder, monkeypatch):
    """What was measured before the kill is not measured again, and the final parts are the same, byte by byte."""
    write_images(folder, 30)
    (folder / "0003.png").write_bytes(b"junk")
    spec, ingested = image_spec(folder), ingest_folder(workspace, folder)
    facts = replace(IMAGE.facts, chunk=5)
    measure, seen = facts.measure, []

    def use(measuring) -> None:
        image = replace(IMAGE, facts=replace(facts, measure=measuring))
        monkeypatch.setattr(modality, "find_modality", lambda name: image)

    def killed(*arguments):
        todo = arguments[-1]
        for chunk, found in zip(todo, measure(*arguments), strict=True):
            if len(seen) == 3:
                raise KeyboardInterrupt
            seen.append(chunk)
            yield found

    use(killed)
    with pytest.raises(KeyboardInterrupt):
        clean(spec, workspace, ingested)
    kept = {content_hash for chunk in seen for content_hash in chunk}
    again = []
    use(lambda *arguments: again.extend(arguments[-1]) or measure(*arguments))
    resumed = clean(spec, workspace, ingested)
    missed = {content_hash for chunk in again for content_hash in chunk}
    assert len(kept) + len(missed) == 30 and not kept & missed
    use(measure)
    other = type(workspace)(tmp_path / "other", "test")
    fresh = clean(spec, other, ingest_folder(other, folder))
    for table in fresh.tables:
        assert [p.read_bytes() for p in fresh.parts(table)] == [p.read_bytes() for p in resumed.parts(table)]


def test_chunks_do_not_depend_on_what_is_already_done():
    """Cutting what is left after any finished chunk gives the remaining chunks of the whole."""
    hashes = [f"{i:032x}" for i in range(500)]
    whole = list(chunks(hashes, 20))
    assert sum(whole, []) == hashes and len(whole) > 5
    for done in range(len(whole)):
        assert list(chunks(sum(whole[done:], []), 20)) == whole[done:]


def test_too_many_rejects_stop_the_night(workspace, folder):
    """More unreadable samples than source.max_rejects is an error that names the reasons; nothing is put out."""
    write_images(folder, 2)
    for i in range(3):
        (folder / f"bad{i}.png").write_bytes(b"x" * i)
    ingested = ingest_folder(workspace, folder)
    with pytest.raises(
        SourceError,
        match=r"3 of 5 samples cannot be used: not_an_image \(2\), zero_bytes \(1\).*3 \.png.*source\.exclude",
    ):
        clean(image_spec(folder), workspace, ingested)
    allowed = clean(image_spec(folder, source={"max_rejects": 0.6}), workspace, ingested)
    assert allowed.read("rejects").height == 3


def test_a_file_that_vanished_or_changed_is_rejected_but_not_for_ever(workspace, folder, decoded):
    """What cannot be read now is tried again; facts are never made of bytes other than those that were hashed."""
    write_images(folder, 4)
    ingested = ingest_folder(workspace, folder)
    (folder / "0000.png").rename(folder / "away")
    whole = (folder / "0001.png").read_bytes()
    (folder / "0001.png").write_bytes((folder / "0002.png").read_bytes())
    output = clean(image_spec(folder), workspace, ingested)
    assert output.read("rejects")["reason"].to_list() == ["not_found", "changed_meanwhile"]
    (folder / "away").rename(folder / "0000.png")
    (folder / "0001.png").write_bytes(whole)
    shutil.rmtree(output.path)
    assert clean(image_spec(folder), workspace, ingested).read("rejects").is_empty()
    assert len(decoded) == 4


def test_another_place_of_the_same_content_is_read_where_the_first_is_gone(workspace, folder):
    """One of two copies is enough."""
    write_images(folder, 1)
    shutil.copy(folder / "0000.png", folder / "copy.png")
    ingested = ingest_folder(workspace, folder)
    (folder / "0000.png").unlink()
    output = clean(image_spec(folder), workspace, ingested)
    assert output.read("samples").height == 2 and output.read("rejects").is_empty()


def test_texts_are_measured_and_missing_ones_rejected(workspace, folder):
    """Texts come from ingest's contents; a null text is rejected, an empty one goes on; the raw text is kept."""
    ingested = ingest_texts(workspace, ["  Hello   world ", None, "", "Hello world"])
    output = clean(text_spec(folder), workspace, ingested)
    facts = output.read("samples").join(output.read("text_facts"), on="content_hash", maintain_order="left")
    assert facts["sample_id"].to_list() == ["t0", "t2", "t3"]
    assert facts["text"].to_list() == ["  Hello   world ", "", "Hello world"]
    assert facts["clean_text"].to_list() == ["Hello world", "", "Hello world"]
    assert facts["changes"].to_list() == [["whitespace"], [], []]
    assert output.read("rejects").select("sample_id", "reason").rows() == [("t1", "missing_text")]


def test_vectors_pass_through(workspace, folder):
    """Modalities without measurements keep all samples and have an empty table of rejects."""
    ingested = ingest_rows(workspace, "vectors", [{"content_hash": f"{i:032x}", "size_bytes": 4} for i in range(3)])
    spec = text_spec(folder).model_copy(update={"modality": "vectors"})
    output = clean(spec, workspace, ingested)
    assert output.tables == ("samples", "rejects", "dataset_metrics")
    assert output.read("samples").equals(ingested.read("ingested"))
    assert output.read("rejects").is_empty()


def test_nothing_ingested_gives_empty_tables(workspace, folder):
    """No samples: every table is there, with its columns and no rows."""
    empty_rows = pl.DataFrame(schema={"content_hash": pl.String, "text": pl.String, "vector": pl.List(pl.Float32)})
    ingested = ingest_texts(workspace, ["one"])
    pl.read_parquet(ingested.parts("ingested")[0]).clear().write_parquet(ingested.parts("ingested")[0])
    empty_rows.write_parquet(ingested.parts("contents")[0])
    output = clean(text_spec(folder), workspace, ingested)
    assert [output.read(table).height for table in output.tables] == [0, 0, 0, 0]


def test_a_class_that_loses_all_of_its_samples_is_named(workspace, folder, capsys):
    """Six error pages named .jpg are a class without a picture, which no table of classes would show."""
    ingested = ingest_texts(workspace, ["good", None])
    frame = pl.read_parquet(ingested.parts("ingested")[0]).with_columns(label=pl.Series(["ant", "dragonfly"]))
    frame.write_parquet(ingested.parts("ingested")[0])
    output = clean(text_spec(folder), workspace, ingested)
    said = "classes of which no sample can be used: dragonfly"
    assert output.read("dataset_metrics").rows() == [("source_classes_emptied", 1.0, said)]
    assert said in capsys.readouterr().err


def test_another_version_of_a_measure_measures_anew(monkeypatch, tmp_path):
    """What a fact depends on names the version of its own modality's measure, and of no other's."""
    source = {"kind": "folder", "path": "."}
    image, audio = (
        make_spec({"name": "x", "modality": name, "source": source}, tmp_path) for name in ("image", "audio")
    )
    before = method(image), method(audio)
    newer = replace(IMAGE, facts=replace(IMAGE.facts, version=IMAGE.facts.version + 1))
    monkeypatch.setattr(modality, "find_modality", lambda name: newer if name == "image" else find_modality(name))
    assert method(image) != before[0] and method(audio) == before[1]
