"""Search by a picture and by meaning: what is asked is embedded as the samples were, and finds what it should."""

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from assay.contracts.errors import AssayError
from assay.explorer.encoding import Encoder, can_search_pictures
from assay.night import run_spec
from assay.reading.columns import View
from assay.reading.facts import can_search_words
from assay.store.workspace import Workspace
from tests.explorer.visit import client_of

TOPICS = {
    "bread": ["flour", "yeast", "oven", "dough", "loaf"],
    "boats": ["sail", "harbour", "mast", "anchor", "keel"],
    "stars": ["orbit", "planet", "comet", "telescope", "galaxy"],
}


@pytest.fixture(scope="module")
def digits(digits_night):
    """The dataset's workspace."""
    return Workspace(digits_night.path.parents[2], digits_night.path.parents[1].name)


def ask(client, number: int, data: bytes):
    """The answer to a picture that is pasted."""
    return client.post(f"/api/{number}/picture", content=data, headers={"content-type": "application/octet-stream"})


def found(client, number: int, wanted: dict, n: int = 5) -> list[dict]:
    """The nearest cards."""
    body = {"filter": wanted, "sort": "similarity", "limit": n}
    answer = client.post(f"/api/{number}/gallery", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["cards"]


def test_a_picture_finds_itself_and_a_changed_one_its_original(digits, digits_night):
    """The same bytes at similarity 1; the picture re-encoded as JPEG still first."""
    client = client_of(digits)
    source = digits_night.manifest["spec_base"]
    row = digits_night.read("samples").filter(pl.col("split") == "train").row(7, named=True)
    data = Path(source, "digits", row["uri"]).read_bytes()
    name = ask(client, digits_night.number, data).json()["name"]
    first = found(client, digits_night.number, {"picture": {"name": name, "k": 5}})[0]
    assert first["similarity"] == pytest.approx(1.0, abs=1e-3)
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).convert("RGB").save(buffer, "JPEG", quality=80)
    name = ask(client, digits_night.number, buffer.getvalue()).json()["name"]
    nearest = found(client, digits_night.number, {"picture": {"name": name, "k": 5}})
    assert row["sample_id"] in [card["id"] for card in nearest[:2]] and nearest[0]["similarity"] > 0.95


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"0" * 50, b"<svg onload='x'/>"])
def test_what_is_no_picture_is_refused_in_words(digits, digits_night, data):
    """Status 409 and a reason; nothing of it is kept."""
    answer = ask(client_of(digits), digits_night.number, data)
    assert answer.status_code == 409 and "cannot be read as a picture" in answer.json()["error"]


def test_a_picture_that_is_not_known_any_more_is_said_to_be(digits, digits_night):
    """As after a restart of the explorer, by an old link."""
    wanted = {"filter": {"picture": {"name": "0" * 32, "k": 3}}}
    answer = client_of(digits).post(f"/api/{digits_night.number}/gallery", json=wanted)
    assert answer.status_code == 409 and "paste or drop it again" in answer.json()["error"]


def test_another_model_than_the_snapshots_is_not_believed(digits, digits_night, monkeypatch):
    """A model whose files have changed gives vectors of another space."""
    import assay.embedders.registry as registry

    class Changed:
        fingerprint = "another"

    monkeypatch.setattr(registry, "make_embedder", lambda *given: Changed())
    with pytest.raises(AssayError, match="no longer the one"):
        Encoder(digits, View(digits_night)).keep(any_picture())


def any_picture() -> bytes:
    """Any picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), "navy").save(buffer, "PNG")
    return buffer.getvalue()


def test_texts_are_searched_by_meaning(tmp_path):
    """Words that occur in no searched text together find the texts of their topic; unknown words are said to be."""
    rng = np.random.default_rng(0)
    texts = [
        (" ".join(rng.choice(words, 4)) + f" number {i}", topic) for topic, words in TOPICS.items() for i in range(40)
    ]
    pl.DataFrame(texts, schema=["text", "label"], orient="row").write_csv(tmp_path / "texts.csv")
    (tmp_path / "spec.toml").write_text(
        'name = "topics"\nmodality = "text"\n[source]\nkind = "table"\npath = "texts.csv"\n'
        '[project]\nmethods = ["pca"]\n'
    )
    snapshot = run_spec(tmp_path / "spec.toml", tmp_path / "home")
    view = View(snapshot)
    assert can_search_words(view) and not can_search_pictures(view)
    client = client_of(Workspace(tmp_path / "home", "topics"))
    cards = found(client, snapshot.number, {"words": {"text": "comet telescope planet", "k": 20}}, 20)
    assert [card["label"] for card in cards] == ["stars"] * 20
    answer = client.post(f"/api/{snapshot.number}/gallery", json={"filter": {"words": {"text": "zzyzx qwrtp", "k": 3}}})
    assert answer.status_code == 409 and "none of these words" in answer.json()["error"]
    assert ask(client, snapshot.number, any_picture()).status_code == 409
