"""Video: decoded, measured, told apart, and carried through a whole night."""

import contextlib
import importlib.util
import io
import os
import struct
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import assay
from assay.contracts.errors import SpecError, UnreadableSample
from assay.contracts.modality import find_modality
from assay.contracts.spec import make_spec
from assay.embedders.registry import make_embedder
from assay.store.workspace import Workspace
from tests.explorer.visit import client_of

av = pytest.importorskip("av")

from assay.modalities.audio.decode import decode as decode_sound  # noqa: E402
from assay.modalities.audio.words import recording  # noqa: E402
from assay.modalities.video import alterations, copies, facts, scenes  # noqa: E402
from assay.modalities.video.decode import Limits, Played, play  # noqa: E402
from assay.modalities.video.facts import measure  # noqa: E402
from assay.modalities.video.looking import Colours, pictures, scaled_size  # noqa: E402
from assay.modalities.video.matching import match  # noqa: E402
from assay.modalities.video.writing import Sound, write_mp4  # noqa: E402

LIMITS = Limits(max_pixels=10_000_000, max_seconds=60.0, max_frames=2_000)


@pytest.fixture(scope="module")
def clip() -> bytes:
    """A made clip of balls, with sound."""
    return scenes.clip("balls", np.random.default_rng(0))


def remuxed(content: bytes, container: str) -> bytes:
    """The same packets of pictures in another container."""
    buffer = io.BytesIO()
    copy_packets(content, buffer, container)
    return buffer.getvalue()


def index_first(content: bytes, folder: Path) -> bytes:
    """An mp4 with its index before its pictures."""
    copy_packets(content, str(folder / "fast.mp4"), "mp4", movflags="faststart")
    return (folder / "fast.mp4").read_bytes()


def copy_packets(content: bytes, place: io.BytesIO | str, container: str, **options: str) -> None:
    with (
        av.open(io.BytesIO(content), format="mp4") as source,
        av.open(place, "w", format=container, options=options) as out,
    ):
        track = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)


def sound_alone(container: str, codec: str, rate: int = 48_000) -> bytes:
    """Two seconds of a tone."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)).astype(np.float32)
        kind = "flt" if codec == "libopus" else "fltp"
        frame = av.AudioFrame.from_ndarray(tone[None], format=kind, layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def as_avi(content: bytes) -> bytes:
    """The same pictures, coded anew, in the oldest of the containers."""
    return write_mp4(enumerate(alterations._read(content)[1]), 15.0, container="avi")


def test_a_good_clip_has_nothing_wrong(clip):
    """Its facts are those of a clean video, and its picture shows four frames."""
    found = measure(clip, LIMITS)
    assert (found["format"], found["codec"], found["width"], found["height"]) == ("mp4", "h264", 160, 120)
    assert found["fps"] == pytest.approx(15.0) and found["seconds"] == pytest.approx(found["n_frames"] / 15.0)
    for name in ("black", "static", "frozen", "n_cuts", "letterbox", "corrupt", "missing", "gaps", "jumps"):
        assert found[name] == 0, name
    assert found["has_sound"] and found["silence"] == 0 and -40 < found["loudness_db"] < -10
    assert found["sound_seconds"] == pytest.approx(found["seconds"], abs=0.1)
    sheet = Image.open(io.BytesIO(found["thumbnail"]))
    assert sheet.size[0] > sheet.size[1] > 100
    assert len(found["luminance"]) == 256 * int(np.ceil(found["seconds"] / 0.2 - 1e-6))


def mute(content: bytes, _: np.random.Generator) -> bytes:
    """With a track in which nothing is heard."""
    _played, frames = alterations._read(content)
    silence = alterations.Sound(wav_of(np.zeros(16_000)), "wav")
    return write_mp4(enumerate(frames), 15.0, silence)


def wav_of(samples: np.ndarray) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 8_000, format="WAV")
    return buffer.getvalue()


def spliced(content: bytes, rng: np.random.Generator) -> bytes:
    """Two other scenes follow."""
    parts = [content, scenes.clip("sea", rng), scenes.clip("snow", rng)]
    frames = [frame for part in parts for frame in alterations._read(part)[1]]
    return write_mp4(enumerate(frames), 15.0)


def pillars(content: bytes, _: np.random.Generator) -> bytes:
    """Black bars left and right."""
    frames = [np.pad(frame, ((0, 0), (40, 40), (0, 0))) for frame in alterations._read(content)[1]]
    return write_mp4(enumerate(frames), 15.0)


def one_picture(content: bytes, _: np.random.Generator) -> bytes:
    """The first frame all the time."""
    frame = alterations._read(content)[1][0]
    return write_mp4(((place, frame) for place in range(30)), 15.0)


@pytest.mark.parametrize(
    ("spoil", "fact", "least"),
    [
        (alterations.blacked, "black", 0.7),
        (alterations.frozen, "frozen", 0.45),
        (alterations.stuttering, "gaps", 0.2),
        (alterations.boxed, "letterbox", 0.2),
        (pillars, "letterbox", 0.3),
        (alterations.cut_short, "missing", 0.3),
        (one_picture, "static", 1.0),
        (mute, "silence", 1.0),
        (spliced, "n_cuts", 2),
    ],
)
def test_damage_is_measured(clip, spoil, fact, least):
    """Each kind of damage shows in its own fact."""
    assert measure(spoil(clip, np.random.default_rng(1)), LIMITS)[fact] >= least


def test_flipped_bytes_are_corrupt_frames(clip):
    """A decoder conceals them without an error; they are counted."""
    broken = bytearray(clip)
    start = clip.index(b"mdat") + 200
    for place in np.random.default_rng(0).integers(start, start + len(clip) // 2, 200):
        broken[place] ^= 0xFF
    assert measure(bytes(broken), LIMITS)["corrupt"] > 0.05


@pytest.mark.parametrize("size", [0.3, 0.6, 0.9])
def test_a_file_cut_short_has_what_is_there(clip, size, tmp_path):
    """With its index first, an mp4 that was cut still plays, and the rest is missing."""
    faststart = index_first(clip, tmp_path)
    assert measure(faststart, LIMITS)["missing"] == 0
    assert 0.02 < measure(faststart[: int(size * len(faststart))], LIMITS)["missing"] < 1 - size + 0.3


FFCONCAT = b"ffconcat version 1.0\nfile '%s'\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "zero_bytes"),
        (FFCONCAT % b"/etc/passwd", "names_other_files"),
        (b"\xef\xbb\xbf\n  FFCONCAT version 1.0\nfile other.mp4\n", "names_other_files"),
        (b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/a.ts\n", "names_other_files"),
        (b'<?xml version="1.0"?><MPD><BaseURL>file:///etc/passwd</BaseURL></MPD>', "names_other_files"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\n", "names_other_files"),
        (b"\xff" * 4_000, "not_a_video"),
        (b"RIFF\x00\x10\x00\x00WAVEfmt ", "not_a_video"),
        (b"RIFF\x00\x10\x00\x00AVI LIST", "not_a_video"),
        (b"\x1aE\xdf\xa3" + b"\x00" * 500, "not_a_video"),
        (b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 500, "truncated"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "not_a_video"),
    ],
)
def test_what_is_no_video_is_refused(content, reason):
    """With a reason, whatever the bytes."""
    with pytest.raises(UnreadableSample) as raised:
        measure(content, LIMITS)
    assert raised.value.reason == reason


def test_a_playlist_is_not_followed(clip, tmp_path):
    """FFmpeg would open what an ffconcat names, under any name of the file; nothing here does."""
    (tmp_path / "secret.mp4").write_bytes(clip)
    playlist = tmp_path / "innocent.mp4"
    playlist.write_bytes(FFCONCAT % str(tmp_path / "secret.mp4").encode())
    with av.open(str(playlist), options={"safe": "0"}) as followed:
        assert followed.streams.video  # this is the danger
    with pytest.raises(UnreadableSample):
        measure(playlist.read_bytes(), LIMITS)
    for kind in ("mp4", "matroska", "avi"):
        with pytest.raises((av.error.FFmpegError, ValueError)):
            av.open(io.BytesIO(playlist.read_bytes()), format=kind)


def test_sound_in_a_box_is_no_video():
    """An m4a that is named .mp4."""
    with pytest.raises(UnreadableSample) as raised:
        measure(sound_alone("mp4", "aac"), LIMITS)
    assert raised.value.reason == "no_pictures"


@pytest.mark.parametrize(
    ("limits", "reason", "key"),
    [
        (Limits(100, 60, 2_000), "decompression_bomb", "clean.max_pixels"),
        (Limits(10_000_000, 1.0, 2_000), "too_long", "clean.max_seconds"),
        (Limits(10_000_000, 60, 10), "too_long", "clean.max_frames"),
    ],
)
def test_limits_are_kept(clip, limits, reason, key):
    """Each with the key that sets it, also where the file has no index that says how much is coming."""
    for content in (clip, remuxed(clip, "matroska")):
        with pytest.raises(UnreadableSample) as raised:
            measure(content, limits)
        assert raised.value.reason == reason and key in raised.value.detail


def test_every_cut_and_every_flipped_byte_is_survived(clip, tmp_path):
    """A file is read or refused; nothing else happens."""
    rng, outcomes = np.random.default_rng(2), set()
    for content in (index_first(clip, tmp_path), remuxed(clip, "matroska"), as_avi(clip)):
        for _ in range(25):
            broken = bytearray(content[: int(rng.integers(1, len(content)))])
            for place in rng.integers(0, len(broken), 8):
                broken[place] = int(rng.integers(256))
            try:
                outcomes.add(len(measure(bytes(broken), LIMITS)["thumbnail"]) > 0)
            except UnreadableSample as error:
                outcomes.add(error.reason)
    assert True in outcomes


def test_an_avi_that_was_cut_anywhere_keeps_its_contract():
    """A cut frame and its packet are told of both, and count once: no share is above one, and no night ends of it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for place in range(6):
            pixels = np.full((32, 48, 3), 20 * place, dtype=np.uint8)
            pixels[:, 4 * place :] = 200
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    whole, shares = buffer.getvalue(), []
    for end in range(len(whole) - 1_000, len(whole), 3):
        with contextlib.suppress(UnreadableSample):
            shares.append(measure(whole[:end], LIMITS)["corrupt"])
    assert len(shares) > 50 and 0 <= min(shares) < max(shares) <= 1


@pytest.mark.parametrize(
    ("frames", "corrupt", "broken", "share"),
    [(4, 0, 0, 0.0), (4, 1, 0, 0.25), (1, 2, 0, 1.0), (1, 9, 3, 1.0), (3, 0, 1, 0.25)],
)
def test_the_share_of_what_is_corrupt(frames, corrupt, broken, share):
    """Of frames and of packets that hold none."""
    played = Played("avi", "mpeg4", times=[0.0] * frames, n_corrupt=corrupt, n_broken=broken)
    assert facts.corrupt_share(played) == share


def test_a_turned_video_is_seen_upright(clip):
    """A phone's portrait video is stored lying, with a matrix that turns it."""
    one = 1 << 16
    plain = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, one, 0, -one, 0, 0, 120 * one, 0, 1 << 30)
    at = clip.index(plain, clip.index(b"tkhd"))
    found = measure(clip[:at] + turned + clip[at + len(plain) :], LIMITS)
    assert (found["width"], found["height"]) == (120, 160)
    was, now = (copies.as_sequence(one["luminance"]).reshape(-1, 16, 16) for one in (measure(clip, LIMITS), found))
    turns = [np.abs(np.rot90(was, times, axes=(1, 2)) - now).mean() for times in range(4)]
    assert int(np.argmin(turns)) in (1, 3) and min(turns) < 1.0
    upright = pictures(clip[:at] + turned + clip[at + len(plain) :], LIMITS, 1, 10_000)[0]
    assert upright.size[0] < upright.size[1]


def test_times_that_jump():
    """Frames without a time, or before the one before."""
    assert facts.jump_share(np.array([0.0, 0.1, 0.05, np.nan])) == 0.5
    assert facts.jump_share(np.arange(10) / 10) == 0
    assert facts.usual_interval(np.array([np.nan, np.nan])) == 0
    grid = np.zeros((3, 32, 32), dtype=np.uint8)
    assert len(facts.sequence(grid, np.full(3, np.nan), 0.0)) == 1


def test_a_flash_is_no_cut():
    """One bright frame, and the scene goes on; a new scene stays."""
    grid = np.full((30, 32, 32), 80, dtype=np.uint8)
    grid[10] = 240
    assert facts.cuts(grid, facts.change_of(grid)) == []
    grid[20:] = 160
    assert facts.cuts(grid, facts.change_of(grid)) == [20]


def test_frames_are_spread_however_many_come():
    """A few frames are kept of any number, from all parts of the video."""

    class Frame:
        width, height, rotation = 4, 2, 0

    for n in (1, 3, 16, 17, 1_000, 4_097):
        colours = Colours(16, 100)
        colours._picture = lambda frame: np.full((2, 4, 3), frame.number, dtype=np.float64)
        for number in range(n):
            frame = Frame()
            frame.number = number
            colours.see(frame, 0.0)
        kept = np.array([picture[0, 0, 0] for picture in colours._kept])
        assert min(n, 8) <= len(kept) <= 16
        assert len(set(np.diff(kept))) <= 1 and n - kept[-1] <= n / len(kept) + 1
    assert scaled_size(1_920, 1_080, 10_000) == (133, 75)
    assert scaled_size(10_000, 2, 100_000) == (1_414, 71)
    assert scaled_size(8, 8, 100_000) == (8, 8)


@pytest.mark.parametrize("name", ["trimmed", "reencoded", "rescaled", "mirrored"])
@pytest.mark.parametrize("kind", list(scenes.SCENES))
def test_copies_match(kind, name):
    """Of every kind of scene; a mirrored one is told as such."""
    content = scenes.clip(kind, np.random.default_rng(3))
    copy = getattr(alterations, name)(content, np.random.default_rng(4))
    one, other = (copies.as_sequence(measure(data, LIMITS)["luminance"]) for data in (content, copy))
    value, tier = copies.compare(one, other)
    assert value >= copies.CONFIRMED
    assert tier == ("mirrored" if name == "mirrored" else "altered")
    looks = [copies.looks_of(sequence) for sequence in (one, other)]
    assert looks[0] @ looks[1] / np.prod([np.linalg.norm(one) for one in looks]) > copies.ALIKE


def test_others_do_not_match():
    """Other scenes of one kind, still ones among them, stay apart; a small part is told as one."""
    rng = np.random.default_rng(5)
    sequences = [
        copies.as_sequence(measure(scenes.clip(kind, rng), LIMITS)["luminance"])
        for kind in scenes.SCENES
        for _ in range(4)
    ]
    values = [
        copies.compare(one, other)[0] for at, one in enumerate(sequences) for other in sequences[at + 1 :]
    ]  # fmt: skip
    assert max(values) < 0.7
    still = np.repeat(rng.uniform(0, 255, (2, 1, 256)), 20, axis=1)
    assert (
        match(still[0], still[1]) < 0.5 and match(still[0], still[0] + rng.normal(0, 1, (20, 256))) > copies.CONFIRMED
    )
    assert match(still[0], still[0] + 20 * (np.arange(256) < 32)) < copies.CONFIRMED  # one slide, and the next
    walk = np.clip(np.cumsum(rng.normal(0, 9, (100, 256)), axis=0) + 128, 0, 255)
    assert copies.compare(walk, walk[30:70]) == (pytest.approx(1.0), "contained")
    assert match(walk, walk[:0]) == 0 and match(walk, walk[:5]) == 0


def test_a_clip_that_begins_between_two_steps_matches():
    """The best lag is looked for in parts of a step."""
    rng = np.random.default_rng(6)
    fine = np.clip(np.cumsum(rng.normal(0, 4, (400, 256)), axis=0) + 128, 0, 255)
    steps = fine.reshape(100, 4, 256).mean(axis=1)
    late = fine[10:390].reshape(95, 4, 256).mean(axis=1)
    assert match(steps, late) > 0.99


def test_equal_frames_in_another_file_are_equal(clip):
    """The digest is of what is seen, not of the file; one level in one pixel changes it."""
    hashes = {measure(data, LIMITS)["video_hash"] for data in (clip, remuxed(clip, "matroska"))}
    assert len(hashes) == 1
    assert measure(alterations.reencoded(clip, np.random.default_rng(0)), LIMITS)["video_hash"] not in hashes


def spec_of(folder: Path, name: str = "clips", **more) -> dict:
    source = {"kind": "folder", "path": str(folder)}
    return {"name": name, "modality": "video", "source": source, **more}


def test_a_whole_night(tmp_path, clip):
    """From a folder to the explorer: copies, damage and files that are no videos are found, each where it belongs."""
    rng = np.random.default_rng(7)
    folder = tmp_path / "clips"
    for kind in ("balls", "sea"):
        (folder / kind).mkdir(parents=True)
        for number in range(14):
            (folder / kind / f"{number:02d}.mp4").write_bytes(scenes.clip(kind, rng))
    first = (folder / "sea/00.mp4").read_bytes()
    made = {
        "sea/same.mkv": remuxed(first, "matroska"),
        "sea/trimmed.mp4": alterations.trimmed(first, rng),
        "sea/turned.mp4": alterations.mirrored(first, rng),
        "balls/black.mp4": alterations.blacked(clip, rng),
        "balls/list.mp4": FFCONCAT % b"00.mp4",
        "balls/sound.mp4": sound_alone("mp4", "aac"),
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    snapshot = assay.run(spec_of(folder), home=tmp_path / "home", project={"methods": ["pca"]})
    assert snapshot.verify() == [] and snapshot.tables["samples"] == 32
    rejects = dict(snapshot.table("rejects").select("uri", "reason").iter_rows())
    assert rejects == {"balls/list.mp4": "names_other_files", "balls/sound.mp4": "no_pictures"}
    tiers = dict(snapshot.table("duplicates").select("sample_id", "tier").iter_rows())
    assert set(tiers) == {"sea/00.mp4", "sea/same.mkv", "sea/trimmed.mp4", "sea/turned.mp4"}
    assert (tiers["sea/same.mkv"], tiers["sea/trimmed.mp4"]) == ("pixels", "altered")
    assert tiers["sea/turned.mp4"] == "mirrored"
    black = snapshot.sql("select sample_id from scores where metric = 'black' and is_issue").pl()
    assert black["sample_id"].to_list() == ["balls/black.mp4"]
    assert "32 videos" in (snapshot.path / "report.html").read_text(encoding="utf-8")
    client = client_of(Workspace(tmp_path / "home", "clips"))
    row = snapshot.table("samples").sort("position")["sample_id"].to_list().index("sea/same.mkv")
    played = client.get(f"/api/1/raw?row={row}")
    assert played.content == made["sea/same.mkv"] and played.headers["content-type"] == "video/webm"
    assert client.get(f"/api/1/thumbnail?row={row}").content.startswith(b"\xff\xd8")
    assert client.get("/api/1/meta").json()["face"] == "video"


def test_what_most_videos_are_like_is_no_issue(tmp_path):
    """All have black bars and no sound: said once, and held against none."""
    rng = np.random.default_rng(8)
    (tmp_path / "clips").mkdir()
    for number in range(12):
        frames = [frame for _, frame in scenes.SCENES["balls"](rng, 16)]
        boxed = [np.pad(frame.astype(np.uint8), ((24, 24), (0, 0), (0, 0))) for frame in frames]
        (tmp_path / "clips" / f"{number}.mp4").write_bytes(write_mp4(enumerate(boxed), 15.0))
    snapshot = assay.run(spec_of(tmp_path / "clips"), home=tmp_path / "home", project={"methods": []})
    assert not snapshot.table("scores").filter(pl.col("metric").is_in(["letterboxed", "no_sound"]), "is_issue").height
    notes = dict(snapshot.table("dataset_metrics").select("metric", "note").iter_rows())
    assert "12 of 12 videos have black bars" in notes["prevalent:letterboxed"]
    assert "12 of 12 videos have no sound" in notes["prevalent:no_sound"]


def test_a_vector_is_the_mean_of_frames(tmp_path, clip):
    """Of unit length each; the number of frames is the spec's, and decides the fingerprint."""
    workspace = Workspace(tmp_path, "clips")
    hashes = pl.Series("content_hash", ["0" * 32, "1" * 32])
    contents = [clip, scenes.clip("sea", np.random.default_rng(1))]
    made = {}
    for n in (3, 8):
        spec = make_spec(spec_of(tmp_path, embed={"frames": n, "dimensions": 12}), tmp_path)
        embedder = make_embedder(spec, workspace, hashes)
        embedder.fit([embedder.prepare(content) for content in contents])
        made[n] = embedder.fingerprint, embedder.encode(contents)
        parts = [embedder.prepare(content) for content in contents]
        assert [len(part) for part in parts] == [n, n]
        each = embedder._inner.launch(embedder._inner.collate(parts[0]), n)()
        wanted = (each / np.linalg.norm(each, axis=1, keepdims=True)).mean(axis=0)
        assert np.allclose(made[n][1][0], wanted, atol=1e-5)
    assert made[3][0] != made[8][0]


def test_without_pyav_the_command_is_named(tmp_path, clip, monkeypatch):
    """A spec with videos is refused before anything is read."""
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips/a.mp4").write_bytes(clip)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "av" else real(name, *more))
    with pytest.raises(SpecError, match=r'needs the package av.*pip install "assay\[video\]"'):
        assay.run(spec_of(tmp_path / "clips"), home=tmp_path / "home")
    with pytest.raises(UnreadableSample) as raised:
        decode_sound(sound_alone("mp4", "aac"), 60)
    assert raised.value.reason == "needs_pyav" and "assay[video]" in raised.value.detail


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("webm", "libopus"), ("matroska", "flac")])
def test_sounds_in_boxes_are_heard(container, codec):
    """m4a and webm; the pitch and the length are right."""
    if codec not in av.codecs_available:
        pytest.skip(f"no {codec} in this build")
    data = sound_alone(container, codec) if codec != "flac" else boxed_flac()
    sound = decode_sound(data, 60)
    assert sound.rate == 48_000 and sound.seconds == pytest.approx(2.0, abs=0.1) and sound.missing == 0
    spectrum = np.abs(np.fft.rfft(sound.mono()[8_000:56_000]))
    assert abs(int(spectrum.argmax()) - 440) <= 2
    with pytest.raises(UnreadableSample) as raised:
        decode_sound(data, 0.5)
    assert raised.value.reason == "too_long"
    for size in (40, len(data) // 2):
        try:
            assert decode_sound(data[:size], 60).seconds < 2
        except UnreadableSample as error:
            assert error.reason in ("not_a_sound", "truncated", "no_samples")


def boxed_flac() -> bytes:
    """Two seconds of a tone, whole numbers of 16 bits."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        stream = out.add_stream("flac", rate=48_000, layout="mono")
        tone = np.rint(16_000 * np.sin(2 * np.pi * 440 * np.arange(96_000) / 48_000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def test_the_sound_of_a_copy_goes_with_it(clip):
    """An altered copy has the sound of its span."""
    played = play(alterations.trimmed(clip, np.random.default_rng(1)), LIMITS, lambda frame, moment: None, listen=True)
    assert played.has_sound and sum(played.pieces) == pytest.approx(len(played.times) / 15.0, abs=0.15)
    made = recording("aia", np.random.default_rng(0))
    assert Sound(made, "wav").end == float("inf")


def test_every_defect_can_be_planted(clip):
    """Each alteration of the record gives a video, or what is planted as broken."""
    rng = np.random.default_rng(9)
    for kind, defect in find_modality("video").plantable().items():
        altered = defect.alter(clip, rng)
        assert isinstance(altered, bytes) and measure(altered, LIMITS)["n_frames"] > 1, kind


@pytest.mark.skipif("ASSAY_VIDEOS" not in os.environ, reason="ASSAY_VIDEOS names no folder of real clips")
def test_real_clips():
    """Real clips: nothing is wrong with them, their copies are found, and their halves are no copies of each other."""
    limits, sequences = Limits(178_956_970, 3_600, 250_000), []
    for file in sorted(Path(os.environ["ASSAY_VIDEOS"]).glob("*.mp4")):
        content = file.read_bytes()
        found = measure(content, limits)
        assert found["corrupt"] == found["missing"] == found["frozen"] == found["letterbox"] == found["black"] == 0
        sequences.append(copies.as_sequence(found["luminance"]))
        for name in ("trimmed", "reencoded", "rescaled", "mirrored"):
            copy = measure(getattr(alterations, name)(content, np.random.default_rng(0)), limits)
            assert copies.compare(sequences[-1], copies.as_sequence(copy["luminance"]))[0] >= copies.CONFIRMED
    halves = [half for sequence in sequences for half in np.array_split(sequence, 2)]
    assert len(halves) >= 4
    values = [match(one, other) for at, one in enumerate(halves) for other in halves[at + 1 :]]
    assert max(values) < copies.CONFIRMED
