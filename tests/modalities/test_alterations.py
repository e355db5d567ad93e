"""What planted defects do: to pictures of every depth, to texts, to vectors."""

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from assay.modalities import alterations
from assay.modalities.audio import alterations as audio
from assay.modalities.audio.decode import decode as decode_sound
from assay.modalities.audio.modality import AUDIO
from assay.modalities.image.decode import decode_rgb
from assay.modalities.text.shingles import normalize_text
from assay.modalities.video.modality import VIDEO
from assay.store import executor
from tests.clean.conftest import facts_of

LIMIT = 10**7
SHADES = np.add.outer(np.arange(48) * 3, np.arange(64) * 2).astype(np.uint8)  # a ramp, dark to light


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def encoded(pixels: np.ndarray, kind: str = "PNG", mode: str | None = None, **options) -> bytes:
    """A file of these pixels."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def turned() -> bytes:
    """A JPEG that its EXIF turns by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(SHADES, "JPEG", exif=exif)


PICTURES = {
    "grey": encoded(SHADES),
    "16 bits": encoded(SHADES.astype(np.uint16) * 150),
    "few of 16 bits": encoded(SHADES.astype(np.uint16) * 4),
    "floats": encoded(SHADES.astype(np.float32) / 255, "TIFF"),
    "transparent": encoded(np.dstack([SHADES] * 3 + [np.where(SHADES > 90, 255, 0).astype(np.uint8)])),
    "palette": encoded(SHADES, "GIF"),
    "CMYK": encoded(SHADES, "JPEG", "CMYK"),
    "turned": turned(),
}


def seen(data: bytes) -> np.ndarray:
    """float (H, W, 3) of what the pipeline sees."""
    return np.asarray(decode_rgb(data, LIMIT).image, dtype=float)


@pytest.mark.parametrize("kind", PICTURES)
def test_what_is_altered_is_what_the_pipeline_sees(kind):
    """Deep pictures are not white, transparent ones not black: a copy looks like its original."""
    data = PICTURES[kind]
    assert seen(alterations.encode(alterations.decode(data))) == pytest.approx(seen(data), abs=0)
    copy = alterations.reencode(data, rng())
    assert np.abs(seen(copy) - seen(data)).mean() < 6


@pytest.mark.parametrize("kind", PICTURES)
def test_altered_copies_are_altered_as_they_say(kind):
    """Mirrored, cropped, resized, lit otherwise."""
    data = PICTURES[kind]
    whole = seen(data)
    height, width = whole.shape[:2]
    assert np.abs(seen(alterations.mirror(data, rng())) - whole[:, ::-1]).mean() < 4
    inside = seen(alterations.crop(data, rng())).shape
    assert 0.8 * height < inside[0] < height and 0.8 * width < inside[1] < width
    sizes = [seen(alterations.resize(data, np.random.default_rng(seed))).shape[1] / width for seed in range(8)]
    assert all(0.45 < size < 0.85 or 1.2 < size < 2.05 for size in sizes) and min(sizes) < 1 < max(sizes)
    lights = [seen(alterations.relight(data, np.random.default_rng(seed))).mean() / whole.mean() for seed in range(8)]
    assert min(lights) < 0.9 and max(lights) > 1.03 and max(lights) < 1.3


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 1), (3, 3)])
def test_the_smallest_pictures_can_be_altered(size):
    """A pixel is enough."""
    data = encoded(np.zeros((*size, 3), dtype=np.uint8))
    for alter in (
        alterations.reencode, alterations.resize, alterations.crop, alterations.mirror, alterations.relight,
        alterations.darken, alterations.overexpose, alterations.blur, alterations.off_topic_picture,
    ):  # fmt: skip
        assert decode_rgb(alter(data, rng()), LIMIT).image.width >= 1


def test_damage_is_what_clean_measures(monkeypatch):
    """Too dark, too bright, blurred, unreadable."""
    monkeypatch.setattr(executor, "_in_processes", lambda function, batches, *_: map(function, batches))
    noise = encoded(np.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=np.uint8))
    names = ("as_is", "darken", "overexpose", "blur")
    facts, failures, _ = facts_of([getattr(alterations, name)(noise, rng()) for name in names])
    light, sharp = facts["brightness"].to_list(), facts["sharpness"].to_list()
    assert light[1] < 0.1 * light[0] and light[2] > 0.9 and sharp[3] < 0.05 * sharp[0] and failures.is_empty()
    broken = {alterations.corrupt(noise, np.random.default_rng(seed)) for seed in range(12)}
    assert len(broken) == 3 and len(facts_of(sorted(broken))[1]) == 3


def test_strangers_have_the_size_of_their_host_and_nothing_else():
    """Photographs, textures, shapes: none like another, none like the host."""
    host = encoded(SHADES)
    made = [seen(alterations.off_topic_picture(host, np.random.default_rng(seed))) for seed in range(12)]
    assert {one.shape for one in made} == {(48, 64, 3)}
    apart = [np.abs(one - other).mean() for i, one in enumerate([seen(host), *made]) for other in made[i:]]
    assert min(apart) > 8


TEXT = "Straße nach Łódź: the quick brown fox doesn't jump over 13 lazy dogs today"


def test_a_restyled_text_is_equal_once_normalised():
    """Also where upper case has more letters."""
    changed = alterations.restyle(TEXT, rng())
    assert changed != TEXT and normalize_text(changed) == normalize_text(TEXT)


@pytest.mark.parametrize("seed", range(6))
def test_an_edit_is_of_one_word(seed):
    """Of a long text one is left out, of a short one one is typed wrongly."""
    words = TEXT.split()
    changed = alterations.edit_a_word(TEXT, np.random.default_rng(seed)).split()
    assert len(changed) == len(words) - 1 and any(words[:i] + words[i + 1 :] == changed for i in range(len(words)))
    short = alterations.edit_a_word("one two three four", np.random.default_rng(seed)).split()
    assert [len(one) - len(other) for one, other in zip(short, "one two three four".split(), strict=True)].count(1) == 1


def test_damaged_texts():
    """Symbols for letters, next to nothing, the same over and over; strangers are sentences, each its own."""
    garbled = alterations.garble(TEXT, rng())
    assert len(garbled) == len(TEXT) and not any(letter.isalnum() for letter in garbled)
    assert {alterations.empty_out(TEXT, np.random.default_rng(seed)).strip() for seed in range(40)} == {
        "", ".", "-", "n/a", "?",
    }  # fmt: skip
    assert alterations.repeat_words(TEXT, rng()).split()[:6] == TEXT.split()[:3] * 2
    strangers = {alterations.off_topic_text(TEXT, np.random.default_rng(seed)) for seed in range(40)}
    assert len(strangers) == 40 and all(one[0].isupper() and one.endswith(".") for one in strangers)


@pytest.mark.parametrize("vector", [np.arange(1.0, 65.0, dtype=np.float32), np.zeros(64, dtype=np.float32)])
def test_nudged_vectors_stay_close_and_strangers_do_not(vector):
    """1% of the length away, and anywhere at the same length; a zero stays one."""
    length = np.linalg.norm(vector)
    near, far = alterations.nudge(vector, rng()), alterations.random_direction(vector, rng())
    assert near.dtype == far.dtype == np.float32
    assert np.linalg.norm(near - vector) == pytest.approx(0.01 * length, rel=1e-3)
    assert np.linalg.norm(far) == pytest.approx(length, rel=1e-3)
    assert abs(far @ vector) <= 0.5 * length**2


def wav(*samples: float, rate: int = 8_000, channels: int = 1) -> bytes:
    """A sound of these samples, the same in all channels."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.tile(np.array(samples)[:, None], channels), rate, "PCM_16", format="WAV")
    return buffer.getvalue()


WAVE = np.sin(np.arange(600) / 3) / 4
SOUNDS = {
    "a sample": wav(0.5), "silence": wav(*np.zeros(600)), "stereo": wav(*WAVE, channels=2),
    "six": wav(*WAVE, channels=6), "slow": wav(*WAVE, rate=1_000), "fast": wav(*WAVE, rate=768_000),
}  # fmt: skip


@pytest.mark.parametrize("sound", SOUNDS)
@pytest.mark.parametrize("kind", [kind for kind, one in AUDIO.plantable().items() if one.how != "label"])
def test_any_sound_can_be_altered(kind, sound):
    """It can still be read, but for what half of a sample leaves; the self-test plants into whatever there is."""
    altered = AUDIO.defects[kind].alter(SOUNDS[sound], rng())
    if (kind, sound) != ("truncated", "a sample"):
        assert len(decode_sound(altered, 60.0).samples) >= 1


def test_copies_of_sounds_are_what_they_say():
    """Quieter by 6 to 12 dB, noise 30 dB under it, three quarters of the rate; gaps are of zeros, where it was loud."""
    whole = decode_sound(SOUNDS["stereo"], 60.0).samples
    quiet = decode_sound(audio.quieter(SOUNDS["stereo"], rng()), 60.0).samples
    assert 0.24 < np.abs(quiet).max() / np.abs(whole).max() < 0.51
    noise = decode_sound(audio.noisy_copy(SOUNDS["stereo"], rng()), 60.0).samples - whole
    assert 20 * np.log10(noise.std() / np.sqrt(np.square(whole).mean())) == pytest.approx(-30, abs=2)
    assert decode_sound(audio.resampled(SOUNDS["stereo"], rng()), 60.0).rate == 6_000
    assert decode_sound(audio.resampled(SOUNDS["slow"], rng()), 60.0).rate == 1_333
    gaps = decode_sound(audio.drop_out(SOUNDS["stereo"], rng()), 60.0).samples
    assert (gaps[whole != 0] == 0).sum() > 50


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 32, 48), (5, 2, 2), (3, 2, 200), (4, 18, 34)])
def test_any_video_can_be_altered(frames, height, width):
    """However small or short; it is a video again, but for one that is cut off."""
    pytest.importorskip("av")
    from assay.modalities.video.alterations import LIMITS
    from assay.modalities.video.decode import play
    from assay.modalities.video.writing import write_mp4

    shown = np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    content = write_mp4(enumerate(shown), 10.0)
    for kind, defect in VIDEO.plantable().items():
        if defect.how != "label":
            altered = defect.alter(content, rng())
            assert kind == "cut_short" or play(altered, LIMITS, lambda *_: None).times
