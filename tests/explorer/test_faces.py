"""The faces of sounds, videos and boxes with masks, in a real browser over real nights."""

import importlib.util

import numpy as np
import pytest

import assay
from assay.store.workspace import Workspace
from tests.explorer.page_driver import MAP, settle
from tests.modalities.test_audio import syllable, wav
from tests.modalities.test_objects import write_masked

pytestmark = pytest.mark.browser
NEEDS_AV = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="needs PyAV")


def night(folder, modality):
    """The workspace of one night over the files below `folder/data`."""
    spec = {"name": modality, "modality": modality, "source": {"kind": "folder", "path": str(folder / "data")}}
    assay.run(spec, home=folder / "home", project={"methods": ["pca"]})
    return Workspace(folder / "home", modality)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Twelve made words of two pitches."""
    folder, rng = tmp_path_factory.mktemp("sounds"), np.random.default_rng(0)
    for label, pitch in (("low", 110), ("high", 320)):
        (folder / "data" / label).mkdir(parents=True)
        for number in range(6):
            (folder / "data" / label / f"{number}.wav").write_bytes(wav(syllable(rng, pitch)))
    return night(folder, "audio")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Eight made clips of two kinds."""
    from assay.modalities.video import scenes

    folder = tmp_path_factory.mktemp("videos")
    for label in ("balls", "sea"):
        (folder / "data" / label).mkdir(parents=True)
        for number in range(4):
            clip = scenes.clip(label, np.random.default_rng(number))
            (folder / "data" / label / f"{number}.mp4").write_bytes(clip)
    return night(folder, "video")


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    """Forty boxes of black squares in ten grey pictures; every second mask has a hole."""
    folder = tmp_path_factory.mktemp("boxes")
    (folder / "data").mkdir()
    write_masked(folder / "data", apart=0.1)
    return night(folder, "objects")


def open_sample(page, row):
    """Open a card of the gallery, and wait for what it shows large."""
    settle(page)
    page.locator(f".window .card[data-row='{row}']").click()
    page.wait_for_selector(".detail-scroll .large")
    settle(page)


def is_seen(page, selector):
    """Pixels of a loaded picture and its place on the page."""
    return page.locator(selector).first.evaluate(
        """async (image) => { await image.decode(); const box = image.getBoundingClientRect();
           return image.naturalWidth > 30 && box.width > 30 && box.height > 20; }"""
    )


def plays(page, kind):
    """Whether the player gets on: its duration, and its time after half a second of playing, muted."""
    return page.locator(f"{kind}.player").evaluate(
        """async (player) => { player.muted = true; await player.play();
           await new Promise((go) => player.addEventListener("timeupdate", () => player.currentTime > 0.1 && go()));
           return [player.duration, player.currentTime, player.videoWidth ?? 0]; }"""
    )


def test_a_sound_is_its_spectrogram_and_plays(open_page, serve, sounds):
    """On its card, and large with a player below that gets on."""
    page = open_page(serve(sounds), MAP)
    assert is_seen(page, ".window .card .picture img")
    open_sample(page, 3)
    assert is_seen(page, ".large img.still")
    duration, time, _ = plays(page, "audio")
    assert 0.1 < time <= duration < 5


@NEEDS_AV
def test_a_video_is_four_frames_and_plays(open_page, serve, videos):
    """On its card, and large with a player below that gets on."""
    page = open_page(serve(videos), MAP)
    assert is_seen(page, ".window .card .picture img")
    open_sample(page, 5)
    assert is_seen(page, ".large img.still")
    duration, time, width = plays(page, "video")
    assert 0.1 < time <= duration < 4 and width == 160


def test_a_mask_is_drawn_over_crop_and_picture(open_page, serve, boxes):
    """On the card its outline lies over the crop, with its hole; large the picture is tinted within it, and not in the
    hole."""
    page = open_page(serve(boxes), MAP)
    settle(page)
    card = page.locator(".window .card[data-row='1']")
    drawn = card.locator(".outline path").evaluate(
        """(path) => { const box = path.getBoundingClientRect();
           const frame = path.closest(".picture").getBoundingClientRect();
           const middle = new DOMPoint(25, 40), edge = new DOMPoint(15, 40);
           return [path.isPointInFill(middle), path.isPointInFill(edge), box.width / frame.width]; }"""
    )
    assert drawn[:2] == [False, True] and 0.5 < drawn[2] <= 1.01
    assert page.locator(".window .outline").count() == page.locator(".window .card").count()
    open_sample(page, 1)
    reds = page.locator("canvas.boxes").evaluate(
        """(canvas) => { const pen = canvas.getContext("2d"), found = [], scale = canvas.width / 120;
           for (const [x, y] of [[15, 40], [25, 40], [80, 40]]) {
             const { data } = pen.getImageData(...[x - 3, y - 8, 6, 16].map((v) => v * scale)); let red = 0, other = 0;
             for (let i = 0; i < data.length; i += 4) { red += data[i]; other += (data[i + 1] + data[i + 2]) / 2; }
             found.push((red - other) / (data.length / 4)); }
           return found; }"""
    )
    assert reds[0] > 30 + max(reds[1], reds[2])
