"""Sound: decoded, measured, told apart, and carried through a whole night."""

import io
import struct

import numpy as np
import polars as pl
import pytest
import soundfile
from PIL import Image

import assay
from assay.contracts.errors import UnreadableSample
from assay.modalities.audio import alterations, copies
from assay.modalities.audio.decode import decode
from assay.modalities.audio.facts import measure
from assay.store.workspace import Workspace
from tests.explorer.visit import client_of

RATE = 8_000


def syllable(rng: np.random.Generator, pitch: float, seconds: float = 0.6) -> np.ndarray:
    """float64 (n, 1): a voice-like buzz that glides, swells and fades, and some breath."""
    time = np.arange(int(seconds * RATE)) / RATE
    glide = pitch * (1 + rng.uniform(-0.3, 0.3) * time + 0.05 * np.sin(2 * np.pi * rng.uniform(2, 6) * time))
    phase = 2 * np.pi * np.cumsum(glide) / RATE
    weights = rng.uniform(0.2, 1.0, 8)
    buzz = sum(w * np.sin((k + 1) * phase) / (k + 1) for k, w in enumerate(weights))
    swell = np.sin(np.pi * time / seconds) ** rng.uniform(0.5, 2.0)
    return (0.3 * swell * buzz + rng.normal(0, 0.002, len(time)))[:, None]


def wav(samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16", kind: str = "WAV") -> bytes:
    """The samples as a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, subtype, format=kind)
    return buffer.getvalue()


@pytest.fixture
def clip() -> bytes:
    return wav(syllable(np.random.default_rng(0), 150))


def facts(content: bytes) -> dict:
    return measure(decode(content, 60))


def test_a_good_clip_has_nothing_wrong(clip):
    """Its facts are those of a clean recording."""
    found = facts(clip)
    assert found["rate"] == RATE and found["n_channels"] == 1 and found["seconds"] == pytest.approx(0.6)
    assert found["clipped"] == found["dropouts"] == found["missing"] == found["not_finite"] == found["over_one"] == 0
    assert found["snr_db"] > 20 and abs(found["dc_offset"]) < 0.005 and found["ends_abruptly"] < 0.2
    assert found["channel_correlation"] is None
    assert Image.open(io.BytesIO(found["thumbnail"])).size == (192, 128)


GAPS = np.where(np.arange(4_800)[:, None] % 100, 0.1, np.nan)


@pytest.mark.parametrize(
    ("spoil", "fact", "least"),
    [
        (alterations.clip, "clipped", 0.01),
        (alterations.silence, "silence", 1.0),
        (alterations.drop_out, "dropouts", 0.02),
        (alterations.truncate, "missing", 0.45),
        (lambda c, _: wav(decode(c, 9).samples + 0.1), "dc_offset", 0.09),
        (lambda c, _: wav(decode(c, 9).samples[:2_400]), "ends_abruptly", 0.5),
        (lambda c, _: wav(decode(c, 9).samples * 9, subtype="FLOAT"), "over_one", 0.01),
        (lambda c, _: wav(GAPS, subtype="FLOAT"), "not_finite", 0.009),
        (lambda c, _: wav(np.repeat(decode(c, 9).samples, 2, axis=1)), "channel_correlation", 0.9999),
    ],
)
def test_damage_is_measured(clip, spoil, fact, least):
    """Each kind of damage shows in its own fact."""
    assert facts(spoil(clip, np.random.default_rng(1)))[fact] >= least


@pytest.mark.parametrize("value", [1e7, 1e19, 1e25, 3e38, np.inf, -np.inf, np.nan])
def test_a_sample_that_is_no_sound_costs_itself(clip, value):
    """What would overflow is silence, and counted; the other facts are those of the clip."""
    samples = decode(clip, 60).samples.copy()
    samples[2_400] = value
    found, clean = facts(wav(samples, subtype="FLOAT")), facts(clip)
    assert found["not_finite"] == pytest.approx(1 / len(samples)) and found["peak"] <= 1.0
    assert found["loudness_db"] == pytest.approx(clean["loudness_db"], abs=0.1)


def test_a_header_that_promises_more_than_memory_holds(clip, monkeypatch):
    """It costs itself, not the night."""

    def read(*_, **__):
        raise MemoryError

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    with pytest.raises(UnreadableSample, match="promises more samples than fit into memory"):
        decode(clip, 60)


@pytest.mark.parametrize("n", [1, 2, 3, 100])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_shortest_sounds_have_facts(n, channels):
    """A sample is enough; nothing is NaN."""
    found = facts(wav(np.full((n, channels), 0.25)))
    assert found["seconds"] == n / RATE
    assert all(np.isfinite(value) for value in found.values() if isinstance(value, float))


@pytest.mark.parametrize(
    ("samples", "rate", "kind", "said"),
    [
        (np.zeros((10, 1)), 8_000, "VOC", "the format VOC is not read; wanted wav, flac"),
        (np.zeros((10, 1)), 999, "WAV", "1 channels at 999 Hz; wanted 1 to 64, 1000 to 768000"),
        (np.zeros((10, 65)), 8_000, "WAV", "65 channels at 8000 Hz"),
        (np.zeros((8_000 * 61, 1)), 8_000, "WAV", "61 s; clean.max_seconds allows 60"),
    ],
)
def test_what_no_sound_has_is_refused_with_its_numbers(samples, rate, kind, said):
    """What was found, and what is wanted."""
    with pytest.raises(UnreadableSample, match=said):
        decode(wav(samples, rate, kind=kind), 60)


def test_without_pyav_sounds_in_boxes_name_the_command(monkeypatch):
    """Another time they may be read: it is said what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for head in (b"\0\0\0\x18ftypM4A ", b"\x1aE\xdf\xa3"):
        with pytest.raises(UnreadableSample, match=r"need the package av.*assay\[video\]") as raised:
            decode(head + bytes(50), 60)
        assert raised.value.reason == "needs_pyav"


def test_channels_that_cancel_are_heard(clip):
    """Anti-phase is a fault, and the sound is not taken for silence."""
    mono = decode(clip, 9).samples
    found = facts(wav(np.hstack([mono, -mono])))
    assert found["channel_correlation"] < -0.999 and found["silence"] < 0.9 and found["loudness_db"] > -40


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not_a_sound"),
        (b"RIFF\x00\x00\x00\x00WAVEjunk", "not_a_sound"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "not_a_sound"),
        (b"\xff" * 2_000, "not_a_sound"),
        (wav(np.zeros((0, 1))), "no_samples"),
    ],
)
def test_what_is_no_sound_is_refused(content, reason):
    """With a reason, whatever the bytes."""
    with pytest.raises(UnreadableSample) as raised:
        decode(content, 60)
    assert raised.value.reason == reason


def test_headers_that_lie(clip):
    """A rate of 0 is refused; a length that was not known when the header was written is no damage; a sound that is
    too long is not read."""
    with pytest.raises(UnreadableSample):
        decode(clip[:24] + struct.pack("<I", 0) + clip[28:], 60)
    assert decode(clip[:40] + struct.pack("<I", 0xFFFFFFF0) + clip[44:], 60).missing == 0
    with pytest.raises(UnreadableSample) as raised:
        decode(clip, 0.1)
    assert raised.value.reason == "too_long" and "clean.max_seconds" in raised.value.detail


def test_mp3_and_what_is_left_of_one(clip):
    """Whole it is read; cut short the rest of it is missing. What libsndfile says is told without our own buffers."""
    samples, rate = soundfile.read(io.BytesIO(clip))
    stream = io.BytesIO()
    soundfile.write(stream, np.tile(samples, 4), rate, "MPEG_LAYER_III", format="MP3")
    whole = decode(stream.getvalue(), 60)
    assert whole.missing == 0 and abs(len(whole.samples) - 4 * len(samples)) < 3_000
    assert np.corrcoef(whole.mono()[: len(samples)], samples)[0, 1] > 0.9
    assert 0.3 < decode(stream.getvalue()[: len(stream.getvalue()) // 2], 60).missing < 0.7
    with pytest.raises(UnreadableSample) as raised:
        decode(b"no sound" * 100, 60)
    assert "0x" not in raised.value.detail


@pytest.mark.parametrize(("kind", "coding"), [("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("AIFF", "PCM_16")])
def test_other_formats_are_read(clip, kind, coding):
    """As many samples as were written."""
    samples, rate = soundfile.read(io.BytesIO(clip))
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, coding, format=kind)
    found = decode(stream.getvalue(), 60)
    assert (found.format, len(found.samples), found.rate) == (kind, len(samples), rate)


def test_every_cut_and_every_flipped_byte_is_survived(clip):
    """A file is read or refused; nothing else happens."""
    rng = np.random.default_rng(2)
    outcomes = set()
    for _ in range(60):
        broken = bytearray(clip[: int(rng.integers(1, len(clip)))])
        for place in rng.integers(0, len(broken), 5):
            broken[place] = int(rng.integers(256))
        try:
            outcomes.add(len(measure(decode(bytes(broken), 60))["thumbnail"]) > 0)
        except UnreadableSample as error:
            outcomes.add(error.reason)
    assert True in outcomes


def spectrogram(content: bytes) -> np.ndarray:
    found = facts(content)
    return copies.as_spectrogram(found["spectrogram"], found["rate"])


@pytest.mark.parametrize("alter", [alterations.quieter, alterations.noisy_copy, alterations.resampled])
def test_copies_match(clip, alter):
    """Gain, noise and another rate leave a copy a copy."""
    assert copies.match(spectrogram(clip), spectrogram(alter(clip, np.random.default_rng(3)))) >= copies.CONFIRMED


def test_a_shifted_copy_matches_and_another_clip_does_not(clip):
    """The best lag is looked for; the same voice saying something else stays apart."""
    shifted = wav(np.vstack([np.zeros((683, 1)), decode(clip, 9).samples]))
    assert copies.match(spectrogram(clip), spectrogram(shifted)) >= copies.CONFIRMED
    others = [wav(syllable(np.random.default_rng(seed), 150)) for seed in range(1, 9)]
    assert max(copies.match(spectrogram(clip), spectrogram(other)) for other in others) < copies.CONFIRMED


def test_a_whole_night(tmp_path):
    """From a folder to the explorer: copies, damage and a file that is no sound are found, each where it belongs."""
    rng = np.random.default_rng(4)
    for label, pitch in (("low", 110), ("high", 320)):
        (tmp_path / "voices" / label).mkdir(parents=True)
        for number in range(30):
            (tmp_path / "voices" / label / f"{number:02d}.wav").write_bytes(wav(syllable(rng, pitch)))
    first = (tmp_path / "voices/low/00.wav").read_bytes()
    flac = wav(decode(first, 9).samples, kind="FLAC")
    (tmp_path / "voices/low/same.flac").write_bytes(flac)
    (tmp_path / "voices/low/soft.wav").write_bytes(alterations.quieter(first, rng))
    (tmp_path / "voices/high/clipped.wav").write_bytes(alterations.clip(wav(syllable(rng, 320)), rng))
    (tmp_path / "voices/high/note.wav").write_bytes(b"this is no sound")
    spec = {"name": "voices", "modality": "audio", "source": {"kind": "folder", "path": str(tmp_path / "voices")}}
    snapshot = assay.run(spec, home=tmp_path / "home", project={"methods": ["pca"]})
    assert snapshot.verify() == [] and snapshot.tables["samples"] == 63
    assert snapshot.table("rejects")["reason"].to_list() == ["not_a_sound"]
    tiers = dict(snapshot.table("duplicates").select("sample_id", "tier").iter_rows())
    assert tiers["low/same.flac"] == "waveform" and tiers["low/soft.wav"] == "embedding"
    assert "high/clipped.wav" not in tiers
    clipped = snapshot.sql("select sample_id from scores where metric = 'clipped' and is_issue").pl()
    assert clipped["sample_id"].to_list() == ["high/clipped.wav"]
    assert "63 recordings" in (snapshot.path / "report.html").read_text(encoding="utf-8")
    client = client_of(Workspace(tmp_path / "home", "voices"))
    row = snapshot.table("samples").sort("position")["sample_id"].to_list().index("low/same.flac")
    played = client.get(f"/api/1/raw?row={row}")
    assert played.content == flac and played.headers["content-type"] == "audio/flac"
    assert client.get(f"/api/1/thumbnail?row={row}").content.startswith(b"\xff\xd8")


def test_issues_are_not_what_most_sounds_are_like(tmp_path):
    """Durations are judged against the dataset: three seconds among three seconds are nothing odd, half a one is."""
    rng = np.random.default_rng(5)
    (tmp_path / "long").mkdir()
    for number in range(24):
        seconds = 0.5 if number == 0 else 3.0
        (tmp_path / "long" / f"{number}.wav").write_bytes(wav(syllable(rng, 150, seconds)))
    spec = {"name": "long", "modality": "audio", "source": {"kind": "folder", "path": str(tmp_path / "long")}}
    snapshot = assay.run(spec, home=tmp_path / "home", project={"methods": []})
    odd = snapshot.table("scores").filter(pl.col("metric") == "odd_duration", pl.col("is_issue"))
    assert odd["sample_id"].to_list() == ["0.wav"]
