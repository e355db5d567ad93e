"""Pairs with a two-tower model: captions are judged by its towers, and words find pictures."""

import io
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

import assay
from assay.modalities.image.digits import digit_samples
from assay.modalities.pairs import captions, example
from assay.modalities.pairs.towers import has_text_tower
from assay.store.garbage import collect_garbage
from assay.store.snapshots import Snapshot, newest_snapshot
from assay.store.workspace import Workspace
from tests.explorer.visit import client_of
from tests.modalities.two_towers import write_two_towers

SPEC = """name = "pairs"
modality = "pairs"
[source]
kind = "table"
path = "captioned-digits/captions.csv"
[embed]
model = "local-dir:MODEL"
[project]
methods = ["pca"]
"""


def write_pairs(folder: Path, n: int) -> pl.DataFrame:
    """A table of captioned digits, and the truth about them."""
    whole, original = digit_samples(0, n), example.digit_samples
    example.digit_samples = lambda seed: whole
    try:
        return example.write_example(folder, 1)
    finally:
        example.digit_samples = original


def run(folder: Path, model: Path) -> Snapshot:
    """One night."""
    (folder / "spec.toml").write_text(SPEC.replace("MODEL", str(model)))
    assay.run(folder / "spec.toml", home=folder / "home")
    return newest_snapshot(Workspace(folder / "home", "pairs"))


@pytest.fixture(scope="module")
def night(tmp_path_factory, two_towers):
    """`(snapshot, truth, folder)` of a model that knows digits and their names."""
    folder = tmp_path_factory.mktemp("towers")
    shutil.copytree(two_towers, folder / "model")
    truth = write_pairs(folder, 500)
    return run(folder, folder / "model"), truth, folder


def of_the_model(folder: Path, uris: list[str], texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """open_clip's own vectors of pictures and of words."""
    import open_clip
    import torch

    name = f"local-dir:{folder / 'model'}"
    model, _, look = open_clip.create_model_and_transforms(name)
    pictures = [look(Image.open(io.BytesIO((folder / "captioned-digits" / uri).read_bytes()))) for uri in uris]
    with torch.inference_mode():
        shown = model.eval().encode_image(torch.stack(pictures)).numpy()
        told = model.encode_text(open_clip.get_tokenizer(name)(texts)).numpy()
    return captions.unit_length(shown), captions.unit_length(told)


def test_the_similarity_of_a_pair_is_that_of_the_towers(night):
    """Each value is the cosine that open_clip itself gives; wrong captions are ranked before the right ones."""
    snapshot, truth, folder = night
    scores = snapshot.read("scores").filter(pl.col("metric") == "wrong_caption")
    found = scores.join(snapshot.read("samples").select("sample_id", "uri", "text"), on="sample_id")
    assert len(found) == 500
    shown, told = of_the_model(folder, found["uri"].to_list(), found["text"].to_list())
    assert np.allclose(found["value"].to_numpy(), (shown * told).sum(axis=1), atol=1e-3)
    is_wrong = found["uri"].is_in(truth["uri"].implode()).to_numpy()
    assert average_precision_score(is_wrong, found["score"].to_numpy()) > 0.8
    flagged = found["is_issue"].to_numpy()
    assert is_wrong[flagged].mean() > 0.7 and flagged[is_wrong].mean() > 0.6


def test_words_find_pictures(night):
    """As the text tower ranks them; and a picture finds its like."""
    snapshot, _, folder = night
    client = client_of(Workspace(folder / "home", "pairs"))
    assert client.get(f"/api/{snapshot.number}/meta").json()["has_words"]
    wanted = {"filter": {"words": {"text": "this is a seven", "k": 20}}, "sort": "similarity", "limit": 20}
    cards = client.post(f"/api/{snapshot.number}/gallery", json=wanted).json()["cards"]
    uris = snapshot.read("samples")["uri"].to_list()
    shown, told = of_the_model(folder, uris, ["this is a seven"])
    best = [uris[row] for row in np.argsort(-(shown @ told[0]))[:10]]
    assert len({card["id"] for card in cards} & set(best)) >= 9
    data = (folder / "captioned-digits" / uris[3]).read_bytes()
    headers = {"content-type": "application/octet-stream"}
    name = client.post(f"/api/{snapshot.number}/picture", content=data, headers=headers).json()["name"]
    wanted = {"filter": {"picture": {"name": name, "k": 5}}, "sort": "similarity", "limit": 5}
    assert client.post(f"/api/{snapshot.number}/gallery", json=wanted).json()["cards"][0]["id"] == uris[3]


def test_captions_are_embedded_once(night):
    """A second night with one new caption embeds that one; captions that are only blanks have no similarity."""
    _, _, folder = night
    table = folder / "captioned-digits" / "captions.csv"
    before = table.read_text()
    rows = pl.read_csv(table)
    texts = rows["text"].to_list()
    texts[0], texts[1] = "quite another thing", "  "
    rows.with_columns(text=pl.Series(texts)).write_csv(table)
    workspace = Workspace(folder / "home", "pairs")
    collect_garbage(workspace, keep=1, grace_hours=0.0)
    kept = set(workspace.facts.glob("caption_vectors/*/part-*.parquet"))
    again = run(folder, folder / "model")
    table.write_text(before)
    new = [pl.read_parquet(part) for part in set(workspace.facts.glob("caption_vectors/*/part-*.parquet")) - kept]
    assert kept and [len(part) for part in new] == [1]
    judged = again.read("scores").filter(pl.col("metric") == "wrong_caption")
    assert len(judged) == 499 and rows["uri"][1] not in judged["sample_id"].to_list()
    empty = again.read("scores").filter((pl.col("metric") == "near_empty") & pl.col("is_issue"))
    assert empty["sample_id"].to_list() == [rows["uri"][1]]


def test_a_model_that_knows_nothing_flags_nothing(tmp_path):
    """With random weights the similarities are told, and nothing follows from them."""
    write_pairs(tmp_path, 80)
    scores = run(tmp_path, write_two_towers(tmp_path / "model", 0)).read("scores")
    found = scores.filter(pl.col("metric") == "wrong_caption")
    assert len(found) == 80 and not found["is_issue"].any() and found["value"].is_between(-1, 1).all()


def test_which_models_have_a_tower_of_words(tmp_path, caplog):
    """A placeholder of one layer is none, and neither is what cannot be read."""
    assert has_text_tower("open_clip", "ViT-B-32", tmp_path) and has_text_tower("transformers", "laion/CLAP", tmp_path)
    assert not has_text_tower("pca", "", tmp_path) and not has_text_tower("transformers", "openai/whisper", tmp_path)
    for text, wanted in (
        ('{"model_cfg": {"text_cfg": {"layers": 1}}}', False),
        ('{"model_cfg": {"text_cfg": {"layers": 2}}}', True),
        ('{"model_cfg": {"text_cfg": {"hf_model_name": "x", "layers": 1}}}', True),
        ('{"model_cfg": {}}', False), ('{"model_cfg": 3}', False), ("[]", False), ("{", False), ("[" * 100_000, False),
    ):  # fmt: skip
        (tmp_path / "open_clip_config.json").write_text(text)
        assert has_text_tower("open_clip", f"local-dir:{tmp_path}", Path()) is wanted
    (tmp_path / "config.json").write_text('{"model_type": "clap"}')
    assert has_text_tower("transformers", f"local-dir:{tmp_path}", Path())
