"""The bundled example: short clips of four kinds of scenes, made from a few numbers each, with sound."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import soundfile
from PIL import Image

from assay.contracts.modality import Sample
from assay.modalities.video.writing import Sound, write_mp4

WIDTH, HEIGHT, FPS = 160, 120, 15.0
SECONDS = (2.0, 3.0)
EACH = 45  # clips of a kind
TEST_SHARE = 0.2
SOUND_RATE = 8_000

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]
DOWN, ACROSS = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)


def scene_samples(seed: int = 0, each: int = EACH) -> list[Sample]:
    """`each` clips of every kind as mp4, in an order drawn by `seed`, a fifth of them in the test split."""
    rng = np.random.default_rng(seed)
    kinds = [name for name in SCENES for _ in range(each)]
    order = rng.permutation(len(kinds))
    is_test = rng.random(len(kinds)) < TEST_SHARE
    return [
        Sample(f"{number:07d}.mp4", clip(kinds[place], rng), kinds[place], "test" if test else "train")
        for number, (place, test) in enumerate(zip(order.tolist(), is_test.tolist(), strict=True))
    ]


def clip(kind: str, rng: np.random.Generator) -> bytes:
    """One clip of a kind."""
    n = round(FPS * rng.uniform(*SECONDS))
    frames = SCENES[kind](rng, n)
    grain = rng.normal(0, 2.0, (8, HEIGHT, WIDTH, 1))
    noisy = ((place, np.clip(picture + grain[place % 8], 0, 255).astype(np.uint8)) for place, picture in frames)
    return write_mp4(noisy, FPS, Sound(hum(rng, n / FPS), "wav"))


def hum(rng: np.random.Generator, seconds: float) -> bytes:
    """A wav of a soft chord that swells."""
    time = np.arange(int(seconds * SOUND_RATE)) / SOUND_RATE
    chord = sum(np.sin(2 * np.pi * rng.uniform(150, 900) * time) for _ in range(3)) / 3
    swell = 0.15 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.3, 1.5) * time)
    buffer = io.BytesIO()
    soundfile.write(buffer, chord * swell, SOUND_RATE, "PCM_16", format="WAV")
    return buffer.getvalue()


def sea(rng: np.random.Generator, n: int) -> Iterator[tuple[int, Floats]]:
    """Waves that roll towards the viewer below a bright sky, a swell under them, clouds above."""
    horizon = rng.uniform(25, 70)
    sky, water = rng.uniform((100, 140, 170), (150, 180, 210)), rng.uniform((10, 60, 100), (50, 110, 160))
    speed, length, slant = rng.uniform(0.15, 0.4), rng.uniform(0.8, 1.6), rng.uniform(-0.03, 0.03)
    depth = np.clip(DOWN - horizon, 0.5, None)
    drift, clouds = rng.uniform(0.5, 2.0), 110 * _smooth(rng, (5, 8), (HEIGHT, 2 * WIDTH))
    swell = _smooth(rng, (n // 6 + 2, 16), (n + 1, 16))
    for place in range(n):
        crests = np.sin(length * 40 / np.sqrt(depth) * 2 + slant * ACROSS + speed * place * np.pi)
        heave = 50 * np.interp(ACROSS, np.linspace(0, WIDTH, 16), swell[place]) - 25
        shift = int(drift * place)
        sea_light = (30 * crests + heave) * np.minimum(depth / 30, 1)
        light = np.where(horizon < DOWN, sea_light, clouds[:, shift : shift + WIDTH])
        ground = np.where((horizon < DOWN)[..., None], water, sky + 0.4 * (DOWN - horizon)[..., None])
        yield place, ground + light[..., None]


def fire(rng: np.random.Generator, n: int) -> Iterator[tuple[int, Floats]]:
    """Flames that flicker before a wall."""
    middle, spread = rng.uniform(50, 110), rng.uniform(14, 30)
    wall = (60 + 35 * _smooth(rng, (4, 6), (HEIGHT, WIDTH)))[..., None] * rng.uniform((0.8, 0.7, 0.6), (1.2, 0.9, 0.8))
    field = _smooth(rng, (3 * n + HEIGHT, 12), (3 * n + HEIGHT, WIDTH))
    for place in range(n):
        drift = field[3 * place : 3 * place + HEIGHT]
        height = np.clip((DOWN - 25) / HEIGHT, 0, 1)
        heat = np.exp(-np.square((ACROSS - middle + 25 * (drift - 0.5)) / (spread * (0.3 + height)))) * height * 1.4
        heat = np.clip(heat * (0.5 + drift), 0, 1)[..., None]
        yield place, np.clip(heat * (420, 230, 80), 0, 255) * heat + wall * (1 - heat)


def snow(rng: np.random.Generator, n: int) -> Iterator[tuple[int, Floats]]:
    """Flakes that fall before a grey wood, on white ground."""
    count = int(rng.integers(50, 110))
    x, y = rng.uniform(0, WIDTH, count), rng.uniform(0, HEIGHT, count)
    fall, wind, size = rng.uniform(1.5, 5, count), rng.uniform(-1.5, 1.5), rng.uniform(1, 2.6, count)
    trunks = np.repeat(_smooth(rng, (1, 7), (1, WIDTH)), HEIGHT, axis=0)
    wood = (60 + 50 * trunks)[..., None] * rng.uniform((0.8, 0.9, 1.0), (1.0, 1.05, 1.15))
    wood[rng.uniform(75, 100) < DOWN] = rng.uniform(190, 230)
    for place in range(n):
        picture = wood.copy()
        for left, top, radius in zip((x + wind * place) % WIDTH, (y + fall * place) % HEIGHT, size, strict=True):
            rows, columns = (slice(int(max(c - radius, 0)), int(c + radius) + 1) for c in (top, left))
            picture[rows, columns] = 240
        yield place, picture


def balls(rng: np.random.Generator, n: int) -> Iterator[tuple[int, Floats]]:
    """Coloured balls that bounce over a green table."""
    count = int(rng.integers(3, 7))
    place_of, speed = rng.uniform(20, 100, (count, 2)), rng.uniform(-4, 4, (count, 2))
    colours, radii = rng.uniform(60, 255, (count, 3)), rng.uniform(6, 14, count)
    table = rng.uniform((10, 90, 30), (40, 140, 70)) + 20 * _smooth(rng, (4, 5), (HEIGHT, WIDTH))[..., None]
    size = np.array([WIDTH, HEIGHT], dtype=np.float64)
    for place in range(n):
        picture = table.copy()
        walked = np.abs((place_of + speed * place) % (2 * size) - size)
        for (left, top), colour, radius in zip(walked, colours, radii, strict=True):
            inside = np.square(ACROSS - left) + np.square(DOWN - top) < radius**2
            picture[inside] = colour
        yield place, picture


SCENES: dict[str, Callable[[np.random.Generator, int], Iterator[tuple[int, Floats]]]] = {
    "balls": balls, "fire": fire, "sea": sea, "snow": snow,
}  # fmt: skip


def _smooth(rng: np.random.Generator, few: tuple[int, int], many: tuple[int, int]) -> Floats:
    """A soft random field of `many` cells from as few, 0 … 1."""
    coarse = Image.fromarray(rng.random(few).astype(np.float32))
    return np.clip(np.asarray(coarse.resize(many[::-1], Image.Resampling.BICUBIC), dtype=np.float64), 0.0, 1.0)
