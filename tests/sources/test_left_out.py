"""What stands in a folder and is no sample: told, counted, and brought back by `source.include`."""

import os

import pytest

from assay.contracts.errors import SourceError, SpecError
from assay.contracts.spec import make_spec

FOLDER = {"kind": "folder", "path": "."}


@pytest.fixture
def plant(data):
    """`plant("a/1.jpg", …)`: files whose content is their own name."""

    def call(*names: str) -> None:
        for name in names:
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).write_text(name)

    return call


def notes(output) -> dict[str, str]:
    """metric → note."""
    return dict(output.read("dataset_metrics").select("metric", "note").iter_rows())


def test_network_stores_leave_litter(run, plant, data):
    """Previews, recycle bins and lost+found are no classes, at any depth and in any case."""
    plant(
        "cat/1.jpg", "dog/1.jpg", "cat/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg", "@eaDir/x.jpg/THUMB.jpg", "#recycle/a.jpg"
    )
    plant(
        "$RECYCLE.BIN/S-1/a.jpg",
        "#snapshot/cat/1.jpg",
        "System Volume Information/x.jpg",
        "dog/Thumbs.db",
        "dog/.a.jpg",
    )
    (data / "lost+found").mkdir()
    output = run(FOLDER, "image")
    assert output.read("ingested")["uri"].to_list() == ["cat/1.jpg", "dog/1.jpg"]
    assert "'@eaDir'" in notes(output)["source_names_left_out"] and output.read("rejects").is_empty()


def test_files_of_another_kind_are_no_samples(run, plant, reasons):
    """Label files, tables and notes beside pictures spoil no night; an ending that nobody knows is tried."""
    plant(*(f"a/{n}.jpg" for n in range(3)), *(f"a/{n}.xml" for n in range(3)), *(f"a/{n}.txt" for n in range(3)))
    plant("README.md", "classes.txt", "a/x.JSON", "stats.parquet", "a/picture", "a/b.unknown")
    output = run(FOLDER, "image")
    assert [uri for uri in output.read("ingested")["uri"]] == [
        "a/0.jpg",
        "a/1.jpg",
        "a/2.jpg",
        "a/b.unknown",
        "a/picture",
    ]
    said = notes(output)["source_files_of_another_kind"]
    assert "4 .txt" in said and "3 .xml" in said and "1 .json" in said and "source.include" in said


def test_texts_keep_their_own_endings(run, plant):
    """To a dataset of texts pictures are the other kind."""
    plant("a/1.txt", "a/2.md", "a/3.json", "a/4.jpg", "a/5.parquet")
    assert len(run(FOLDER, "text").read("ingested")) == 3


def test_a_folder_of_another_kind_alone_is_refused_with_what_was_found(run, plant):
    """Not just "empty"."""
    plant("a/1.txt", "a/2.txt")
    with pytest.raises(SourceError, match=r"2 \.txt.*Wanted images.*modality"):
        run(FOLDER, "image")


def test_hidden_folders_are_doubted_and_can_be_read(run, plant, capsys):
    """A framework's logo class named .net is told, with the patterns that read it; version control is not doubted."""
    plant("cat/1.jpg", "dog/1.jpg", ".net/1.jpg", ".git/config", "cat/.DS_Store")
    output = run(FOLDER, "image")
    assert len(output.read("ingested")) == 2
    assert "'.net'" in notes(output)["source_doubt:1"] and ".git" not in notes(output)["source_doubt:1"]
    assert "doubt: '.net' is hidden" in capsys.readouterr().err
    frame = run({**FOLDER, "include": ["*", ".net"]}, "image").read("ingested")
    assert frame["label"].to_list() == [".net", "cat", "dog"]


@pytest.mark.parametrize(
    ("include", "exclude", "found"),
    [
        (["*.jpg"], [], ["a/1.jpg", "b/2.jpg"]),
        (["a"], [], ["a/1.jpg", "a/1.txt"]),
        (["a/*.jpg", "b/*.png"], [], ["a/1.jpg", "b/3.png"]),
        (["*"], ["*.png"], ["a/1.jpg", "a/1.txt", "b/2.jpg"]),
        (["*.jpg"], ["b"], ["a/1.jpg"]),
    ],
)
def test_include_says_what_to_read(run, plant, include, exclude, found):
    """Patterns on the path or on a name; every file that they name is tried; `exclude` goes before."""
    plant("a/1.jpg", "a/1.txt", "b/2.jpg", "b/3.png", "a/@eaDir/1.jpg")
    output = run({**FOLDER, "include": include, "exclude": exclude}, "image")
    assert output.read("ingested")["uri"].to_list() == found


def test_patterns_that_leave_nothing_are_named(run, plant):
    """The message counts what they left out."""
    plant("a/1.jpg", "a/2.jpg")
    with pytest.raises(SourceError, match=r"2 files and folders that source\.include or source\.exclude"):
        run({**FOLDER, "include": ["*.png"]}, "image")


def test_an_empty_class_is_named(run, plant, data):
    """A folder that is still to be filled, or that holds only litter, is told as a class without a sample."""
    plant("ant/1.jpg", "bee/1.jpg", "wasp/.gitkeep")
    (data / "cockroach").mkdir()
    said = run(FOLDER, "image")
    assert notes(said)["source_empty_classes"] == "classes without a sample: cockroach, wasp"
    (data / "train").mkdir()


@pytest.fixture
def store(data, tmp_path):
    """15 files outside of the source's root."""
    place = tmp_path / "store"
    place.mkdir()
    for number in range(15):
        (place / f"{number:02d}.png").write_text(str(number))
    (place / "notes.txt").write_text("no picture")
    return place


def test_a_linked_folder_counts_as_what_is_in_it(run, plant, store, data, reasons):
    """Fifteen rejects for fifteen pictures; with follow_symlinks they are read, labelled by the link's own folder."""
    plant(*(f"real/{n}.png" for n in range(20)))
    os.symlink(store, data / "linked")
    output = run(FOLDER, "image")
    assert reasons(output) == ["outside_root"] * 15 and output.read("rejects")["uri"][0] == "linked/00.png"
    frame = run({**FOLDER, "follow_symlinks": True}, "image").read("ingested")
    assert frame["label"].value_counts(sort=True).rows() == [("real", 20), ("linked", 15)]


def test_links_alone_are_refused_with_the_key(run, store, data):
    """The message names source.follow_symlinks, for linked folders and for linked files."""
    os.symlink(store, data / "linked")
    with pytest.raises(SourceError, match=r"15 outside_root.*source\.follow_symlinks = true"):
        run(FOLDER, "image")
    (data / "linked").unlink()
    (data / "a").mkdir()
    for file in store.glob("*.png"):
        os.symlink(file, data / "a" / file.name)
    with pytest.raises(SourceError, match=r"15 outside_root.*source\.follow_symlinks = true"):
        run(FOLDER, "image")


def test_a_link_to_a_folder_of_the_source_is_read_there(run, plant, data, reasons):
    """Nothing is lost by it: one reject, no more."""
    plant("v3/1.png", "v3/2.png")
    os.symlink(data / "v3", data / "latest")
    output = run(FOLDER, "image")
    assert reasons(output) == ["not_a_file"] and len(output.read("ingested")) == 2


def test_a_linked_folder_is_counted_no_further_than_its_own_files(run, plant, store, data, reasons):
    """Links inside the linked folder are not followed, even to the root of the file system."""
    plant("real/1.png", "real/2.png")
    os.symlink("/", store / "root")
    os.symlink(store, data / "linked")
    assert set(reasons(run(FOLDER, "image"))) == {"outside_root"}


def test_a_folder_whose_name_is_not_utf8_counts_its_files(run, plant, data, reasons):
    """Each is a reject with a name that can be shown."""
    plant("real/1.png", "real/2.png", "real/3.png")
    folder = os.fsencode(data) + b"/caf\xe9"
    os.mkdir(folder)
    for name in (b"1.png", b"2.png"):
        with open(folder + b"/" + name, "w") as file:
            file.write("x")
    output = run(FOLDER, "image")
    assert reasons(output) == ["bad_path"] * 2 and output.read("rejects")["uri"][0] == "caf\\xe9/1.png"


def test_too_many_rejects_name_the_key(run, plant, store, data):
    """A night stopped by max_rejects says what was found, why, and what mends it."""
    plant("real/1.png")
    os.symlink(store, data / "linked")
    with pytest.raises(SourceError, match=r"15 of 16 samples.*15 outside_root.*What mends it: source\.follow_symlinks"):
        run({**FOLDER, "max_rejects": 0.5}, "image")


def test_a_path_may_begin_at_home(run, data, plant, monkeypatch, tmp_path):
    """`~` and nothing else is expanded; a user that is not there is an error."""
    plant("a/1.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(run({"kind": "folder", "path": "~/data"}, "image").read("ingested")) == 1
    (data / "~").mkdir()
    (data / "~" / "2.png").write_text("x")
    assert len(run({"kind": "folder", "path": "./~"}, "image").read("ingested")) == 1
    with pytest.raises(SpecError, match="no such user"):
        make_spec({"name": "d", "modality": "image", "source": {"kind": "folder", "path": "~nobody-here/x"}}, base=data)
