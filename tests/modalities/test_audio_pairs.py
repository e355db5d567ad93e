"""Pairs of a sound and a caption: a whole night without weights, and one with the two towers of CLAP."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
import transformers
from sklearn.metrics import average_precision_score
from tokenizers import Tokenizer, models, pre_tokenizers

import assay
from assay.contracts.errors import EmbedderError, SourceError
from assay.contracts.spec import make_spec
from assay.embedders.registry import make_embedder
from assay.modalities.audio.decode import decode
from assay.modalities.audio.words import word_samples
from assay.modalities.pairs import captions, example
from assay.store.snapshots import Snapshot, newest_snapshot
from assay.store.workspace import Workspace
from tests.embedders.towers import clap, wav2vec2
from tests.explorer.visit import client_of

SPEC = """name = "told"
modality = "audio_pairs"
[source]
kind = "table"
path = "captioned-words/captions.csv"
[project]
methods = ["pca"]
"""


def run(folder: Path, embed: str = "") -> Snapshot:
    """One night."""
    (folder / "spec.toml").write_text(SPEC + embed)
    assay.run(folder / "spec.toml", home=folder / "home")
    return newest_snapshot(Workspace(folder / "home", "told"))


def write_words(folder: Path, each: int, monkeypatch) -> pl.DataFrame:
    """The example with fewer recordings; the truth."""
    few = word_samples(0, each)
    monkeypatch.setattr(example, "word_samples", lambda seed, each: few)
    return example.write_words(folder, 0)


def test_swapped_captions_of_sounds_are_found(tmp_path, monkeypatch):
    """Without weights; the explorer has the words on the card and finds by them."""
    truth = write_words(tmp_path, 60, monkeypatch)
    snapshot = run(tmp_path)
    scores = snapshot.read("scores").filter(pl.col("metric") == "wrong_caption")
    is_wrong = scores["sample_id"].is_in(truth["uri"].implode()).to_numpy()
    assert len(scores) == 360 and is_wrong.sum() == 18
    assert average_precision_score(is_wrong, scores["score"].to_numpy()) > 0.5
    client = client_of(Workspace(tmp_path / "home", "told"))
    meta = client.get("/api/1/meta").json()
    assert meta["face"] == "sound" and not meta["has_words"]
    found = client.post("/api/1/gallery", json={"filter": {"text": "oei"}, "sort": "position"}).json()
    assert 40 < found["total"] < 80 and all("oei" in card["caption"] for card in found["cards"])
    assert "oei" in client.get("/api/1/sample", params={"id": found["cards"][0]["id"]}).json()["caption"]


def write_clap(folder: Path) -> Path:
    """A tiny CLAP of random weights with a tokenizer that knows some words."""
    config, extractor = clap()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(folder)
    extractor.save_pretrained(folder)
    words = [
        "<pad>",
        "<unk>",
        *sorted({word for say in example.SAYS_OF_SOUNDS for word in say.split()}),
        *example.WORDS,
    ]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", model_max_length=12
    )
    made.save_pretrained(folder)
    return folder


def test_the_similarity_is_that_of_claps_towers(tmp_path, monkeypatch):
    """The value of each pair is the cosine that transformers itself gives; words search the sounds."""
    write_words(tmp_path, 12, monkeypatch)
    model = write_clap(tmp_path / "clap")
    snapshot = run(tmp_path, f'[embed]\nkind = "transformers"\nmodel = "local-dir:{model}"\n')
    scores = snapshot.read("scores").filter(pl.col("metric") == "wrong_caption")
    found = scores.join(snapshot.read("samples").select("sample_id", "uri", "text"), on="sample_id")[:20]
    whole = transformers.ClapModel.from_pretrained(model).eval()
    hear, read = (
        transformers.AutoFeatureExtractor.from_pretrained(model), transformers.AutoTokenizer.from_pretrained(model),
    )  # fmt: skip
    heard, told = [], []
    with torch.inference_mode():
        for uri, text in found.select("uri", "text").iter_rows():
            sound = decode((tmp_path / "captioned-words" / uri).read_bytes(), 60.0).mono()
            again = assay_rate(sound, hear.sampling_rate)
            inputs = hear(again, sampling_rate=hear.sampling_rate, return_tensors="pt")
            heard.append(pooled(whole.get_audio_features(**inputs)))
            told.append(pooled(whole.get_text_features(**read([text], return_tensors="pt"))))
    cosine = (captions.unit_length(np.stack(heard)) * captions.unit_length(np.stack(told))).sum(axis=1)
    assert np.allclose(found["value"].to_numpy(), cosine, atol=1e-3)
    client = client_of(Workspace(tmp_path / "home", "told"))
    assert client.get("/api/1/meta").json()["has_words"]
    wanted = {"filter": {"words": {"text": "somebody says oei", "k": 5}}, "sort": "similarity", "limit": 5}
    assert len(client.post("/api/1/gallery", json=wanted).json()["cards"]) == 5


def assay_rate(sound: np.ndarray, rate: int) -> np.ndarray:
    """A sound of 8 kHz at another rate."""
    from scipy.signal import resample_poly

    return resample_poly(sound, rate, 8_000).astype(np.float32) if rate != 8_000 else sound


def pooled(found) -> np.ndarray:
    """The vector of what a tower gives."""
    return getattr(found, "pooler_output", found)[0].float().numpy()


def test_a_model_without_words_says_so(tmp_path):
    """Only CLAP has a tower of words; others embed the sounds, and captions are judged by the map."""
    config, extractor = wav2vec2()
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path / "w")
    extractor.save_pretrained(tmp_path / "w")
    values = {
        "name": "x", "modality": "audio_pairs", "source": {"kind": "table", "path": "x.csv"},
        "embed": {"kind": "transformers", "model": f"local-dir:{tmp_path / 'w'}"},
    }  # fmt: skip
    with pytest.raises(EmbedderError, match="no text tower.*CLAP"):
        make_embedder(make_spec(values, tmp_path), Workspace(tmp_path / "home", "x"), tower="text")


def test_sounds_without_captions_say_what_is_missing(tmp_path):
    """And how a column of another name is given."""
    (tmp_path / "a.wav").write_bytes(word_samples(0, 1)[0].content)
    (tmp_path / "t.csv").write_text("uri\na.wav\n")
    (tmp_path / "spec.toml").write_text(
        'name = "p"\nmodality = "audio_pairs"\n[source]\nkind = "table"\npath = "t.csv"\n'
    )
    with pytest.raises(SourceError, match="column `text`"):
        assay.run(tmp_path / "spec.toml", home=tmp_path / "home")
