"""Ways to alter a video so that a detector ought to notice: bytes of a file in, bytes of a file out."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

from assay.modalities.video.decode import Limits, Played, play, upright
from assay.modalities.video.facts import usual_interval
from assay.modalities.video.opening import sniff
from assay.modalities.video.writing import Sound, write_mp4

LIMITS = Limits(max_pixels=2**62, max_seconds=math.inf, max_frames=2**62)  # what is too large was refused before
MOST_FRAMES = 1_800  # of the original that go into an altered one: a minute
MOST_AREA = 512 * 512  # pixels that an altered one has at most
Pixels = npt.NDArray[np.uint8]
Edit = Callable[[list[Pixels]], Iterator[tuple[int, Pixels]]]


def trimmed(content: bytes, rng: np.random.Generator) -> bytes:
    """Without up to an eighth at each end, at any frame."""
    share = rng.uniform(0.02, 0.125, 2)
    return _edited(content, lambda n: (int(share[0] * n), max(int(share[0] * n) + 1, int((1 - share[1]) * n))))


def reencoded(content: bytes, rng: np.random.Generator) -> bytes:
    """Coded anew, and worse."""
    return _edited(content, quality=int(rng.integers(28, 36)))


def rescaled(content: bytes, rng: np.random.Generator) -> bytes:
    """At half to three quarters of its size."""
    share = rng.uniform(0.5, 0.75)
    return _edited(content, change=functools.partial(_scaled, share=share))


def mirrored(content: bytes, _: np.random.Generator) -> bytes:
    """Left for right."""
    return _edited(content, change=lambda pixels: pixels[:, ::-1])


def blacked(content: bytes, _: np.random.Generator) -> bytes:
    """Black from a quarter to the end."""
    return _edited(content, edit=_black)


def frozen(content: bytes, rng: np.random.Generator) -> bytes:
    """The picture stands for half of the time or more."""
    start = rng.uniform(0.2, 0.4)
    return _edited(content, edit=functools.partial(_freeze, start=start))


def stuttering(content: bytes, rng: np.random.Generator) -> bytes:
    """Two stretches of frames are lost, and their time goes by without any."""
    starts = rng.uniform(0.1, 0.3), rng.uniform(0.5, 0.7)
    return _edited(content, edit=functools.partial(_gaps, starts=starts))


def boxed(content: bytes, _: np.random.Generator) -> bytes:
    """Black bars above and below, an eighth of the height each."""
    return _edited(content, change=_bars)


def cut_short(content: bytes, _: np.random.Generator) -> bytes:
    """A file whose beginning promises all, and which ends in the middle."""
    whole = _edited(content, container="matroska")
    return whole[: len(whole) // 2]


def test_card(content: bytes, rng: np.random.Generator) -> bytes:
    """A chequered card of strong colours that breathes, as long as the video."""
    played, frames = _read(content)
    height, width = frames[0].shape[:2]
    down, across = (int(count) for count in rng.integers(3, 7, 2))
    fields = np.indices((down, across)).sum(axis=0) % 2
    card = np.where(fields[..., None] == 1, rng.uniform(180, 255, 3), rng.uniform(0, 60, 3)).astype(np.uint8)
    whole = np.asarray(Image.fromarray(card).resize((width, height), Image.Resampling.NEAREST)).astype(np.float32)
    breath = 0.85 + 0.15 * np.sin(np.arange(len(frames)) / rng.uniform(4, 9))
    shown = ((place, (whole * light).astype(np.uint8)) for place, light in enumerate(breath.tolist()))
    return write_mp4(shown, _fps(played))


def _edited(
    content: bytes,
    span: Callable[[int], tuple[int, int]] = lambda n: (0, n),
    change: Callable[[Pixels], Pixels] = lambda pixels: pixels,
    edit: Edit = enumerate,
    quality: int = 20,
    container: str = "mp4",
) -> bytes:
    """The frames of a span, each changed, then edited as a whole, with the sound of that span."""
    played, frames = _read(content)
    start, end = span(len(frames))
    fps = _fps(played)
    sound = Sound(content, sniff(content), start / fps, end / fps) if played.has_sound else None
    return write_mp4(edit([change(pixels) for pixels in frames[start:end]]), fps, sound, quality, container)


def _read(content: bytes) -> tuple[Played, list[Pixels]]:
    """Frames in colour, upright, of a minute at most; large ones smaller."""
    frames: list[Pixels] = []

    def see(frame: av.VideoFrame, _: float) -> None:
        if len(frames) < MOST_FRAMES:
            share = min(1.0, (MOST_AREA / (frame.width * frame.height)) ** 0.5)
            pixels = upright(cast(Pixels, frame.to_ndarray(format="rgb24")), frame.rotation)
            frames.append(_scaled(pixels, share) if share < 1.0 else pixels)

    played = play(content, LIMITS, see)
    return played, frames


def _fps(played: Played) -> float:
    usual = usual_interval(np.array(played.times))
    return min(max(1.0 / usual, 1.0), 240.0) if usual else 25.0


def _scaled(pixels: Pixels, share: float) -> Pixels:
    height, width = pixels.shape[:2]
    size = max(2, round(width * share / 2) * 2), max(2, round(height * share / 2) * 2)
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BICUBIC))


def _black(frames: list[Pixels]) -> Iterator[tuple[int, Pixels]]:
    for place, pixels in enumerate(frames):
        yield place, np.zeros_like(pixels) if place >= len(frames) // 4 else pixels


def _freeze(frames: list[Pixels], start: float) -> Iterator[tuple[int, Pixels]]:
    first, last = int(start * len(frames)), int((start + 0.55) * len(frames))
    for place, pixels in enumerate(frames):
        yield place, frames[first] if first <= place <= last else pixels


def _gaps(frames: list[Pixels], starts: tuple[float, float]) -> Iterator[tuple[int, Pixels]]:
    lost = [range(int(start * len(frames)), int((start + 0.12) * len(frames))) for start in starts]
    for place, pixels in enumerate(frames):
        if not any(place in stretch for stretch in lost):
            yield place, pixels


def _bars(pixels: Pixels) -> Pixels:
    boxed = np.zeros_like(pixels)
    bar = min(max(1, pixels.shape[0] // 8), (pixels.shape[0] - 1) // 2)
    inner = Image.fromarray(np.ascontiguousarray(pixels)).resize((pixels.shape[1], pixels.shape[0] - 2 * bar))
    boxed[bar : pixels.shape[0] - bar] = np.asarray(inner)
    return boxed
