"""What planted defects do to a sample: functions of a content and a random generator that give the altered content."""

import io
import re
import string
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

MOST_PIXELS = 10**9  # of a picture; larger ones were refused before
Content = bytes | str | np.ndarray  # an encoded image, a text, a vector of shape (d,)


# Images: from encoded bytes to encoded bytes


def decode(content: bytes) -> Image.Image:
    """What is seen of a picture: RGB pixels, upright, deep and transparent ones as the pipeline shows them."""
    from assay.modalities.image.decode import decode_rgb

    return decode_rgb(content, MOST_PIXELS).image


def encode(image: Image.Image, quality: int | None = None) -> bytes:
    """PNG, or JPEG where a quality is given."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality) if quality else image.save(buffer, "PNG")
    return buffer.getvalue()


def as_is(content: Content, rng: np.random.Generator) -> Content:
    """The same content, byte for byte."""
    return content


def reencode(content: bytes, rng: np.random.Generator) -> bytes:
    """JPEG at quality 60 to 85."""
    return encode(decode(content), quality=int(rng.integers(60, 86)))


def resize(content: bytes, rng: np.random.Generator) -> bytes:
    """0.5 to 0.8 of each side, or 1.25 to 2 times."""
    image = decode(content)
    factor = rng.uniform(0.5, 0.8) if rng.random() < 0.5 else rng.uniform(1.25, 2.0)
    size = [max(8, round(side * factor)) for side in image.size]
    return encode(image.resize(size, Image.Resampling.LANCZOS), quality=90)


def crop(content: bytes, rng: np.random.Generator) -> bytes:
    """3 to 8% cut off each side."""
    image = decode(content)
    left, top, right, bottom = rng.uniform(0.03, 0.08, 4)
    width, height = image.size
    box = [round(v) for v in (left * width, top * height, (1 - right) * width, (1 - bottom) * height)]
    return encode(image.crop((box[0], box[1], max(box[2], box[0] + 1), max(box[3], box[1] + 1))), quality=90)


def mirror(content: bytes, rng: np.random.Generator) -> bytes:
    """Left for right."""
    return encode(ImageOps.mirror(decode(content)), quality=90)


def relight(content: bytes, rng: np.random.Generator) -> bytes:
    """Brightness times 0.7 to 0.85, or 1.1 to 1.25."""
    factor = rng.uniform(0.7, 0.85) if rng.random() < 0.5 else rng.uniform(1.1, 1.25)
    return encode(ImageEnhance.Brightness(decode(content)).enhance(factor), quality=90)


def copy_or_reencode(content: bytes, rng: np.random.Generator) -> bytes:
    """Half of the leaks are exact, half re-encoded."""
    return content if rng.random() < 0.5 else reencode(content, rng)


def darken(content: bytes, rng: np.random.Generator) -> bytes:
    """Under-exposed: 3 to 8% of the light."""
    return encode(ImageEnhance.Brightness(decode(content)).enhance(rng.uniform(0.03, 0.08)))


def overexpose(content: bytes, rng: np.random.Generator) -> bytes:
    """Washed out: only 2 to 5% of the distance from white is left."""
    image = decode(content)
    return encode(Image.blend(Image.new("RGB", image.size, "white"), image, rng.uniform(0.02, 0.05)))


def blur(content: bytes, rng: np.random.Generator) -> bytes:
    """Gaussian, radius 6 to 9% of the shorter side."""
    image = decode(content)
    return encode(image.filter(ImageFilter.GaussianBlur(min(image.size) * rng.uniform(0.06, 0.09))))


def corrupt(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut off, emptied, or something else under an image's name."""
    way = int(rng.integers(3))
    if way == 0:
        return content[: max(12, len(content) // 3)]
    return b"" if way == 1 else b"<!doctype html><title>404 Not Found</title>"


def off_topic_picture(content: bytes, rng: np.random.Generator) -> bytes:
    """A picture that has nothing to do with `content` but its size: part of a photograph, a texture, shapes."""
    with Image.open(io.BytesIO(content)) as image:
        size = image.size
    maker = (_photograph, _photograph, _texture, _shapes)[int(rng.integers(4))]
    return encode(maker(size, rng), quality=92)


@cache
def _photographs() -> tuple[Image.Image, ...]:
    """The two photographs that scikit-learn carries."""
    from sklearn.datasets import load_sample_images

    return tuple(Image.fromarray(pixels) for pixels in load_sample_images().images)


def _photograph(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    photographs = _photographs()
    photograph = photographs[int(rng.integers(len(photographs)))]
    side = int(rng.integers(100, 300))
    left = int(rng.integers(0, photograph.width - side))
    top = int(rng.integers(0, photograph.height - side))
    return photograph.crop((left, top, left + side, top + side)).resize(size, Image.Resampling.LANCZOS)


def _texture(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A sum of coloured waves."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    pixels = np.zeros((size[1], size[0], 3))
    for _ in range(4):
        angle, frequency = rng.uniform(0, np.pi), rng.uniform(4, 24)
        wave = np.sin(2 * np.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 6))
        pixels += wave[..., None] * rng.uniform(-1, 1, 3)
    return Image.fromarray(np.uint8(np.clip(127 + 60 * pixels, 0, 255)))


def _shapes(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Coloured rectangles and ellipses."""
    image = Image.new("RGB", size, tuple(rng.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(8):
        xs, ys = np.sort(rng.integers(0, size[0] + 1, 2)), np.sort(rng.integers(0, size[1] + 1, 2))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((int(xs[0]), int(ys[0]), int(xs[1]), int(ys[1])), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


# Texts


def restyle(content: str, rng: np.random.Generator) -> str:
    """Another case and other spaces: equal once normalised."""
    return "  " + content.upper().replace(" ", "  ") + "\n"


def edit_a_word(content: str, rng: np.random.Generator) -> str:
    """One word of the text left out, or one typed wrongly in a short text."""
    words = content.split()
    position = int(rng.integers(len(words)))
    if len(words) >= 12:
        return " ".join(words[:position] + words[position + 1 :])
    words[position] += str(rng.choice(list(string.ascii_lowercase)))
    return " ".join(words)


def garble(content: str, rng: np.random.Generator) -> str:
    """Every letter and digit replaced by a symbol at random."""
    symbols = list("#%&*+/<=>@[]^_{|}~$§¤")
    return re.sub(r"\w", lambda _: str(rng.choice(symbols)), content)


def empty_out(content: str, rng: np.random.Generator) -> str:
    """Almost nothing left."""
    return str(rng.choice(["", ".", "-", "n/a", "?"])) + " " * int(rng.integers(0, 4))


def repeat_words(content: str, rng: np.random.Generator) -> str:
    """The first few words, over and over."""
    return " ".join(content.split()[:3] * 12)


STRANGE = (  # who did what, and when
    (
        "a lighthouse keeper|the Norwegian midwife|two retired jockeys|my grandmother's beekeeper|"
        "an apprentice blacksmith|the village piper|a shortstop from Omaha|the mountaineer's widow|"
        "three Benedictine monks|a barefoot shepherd|the opera's tenor|an elderly botanist|the pastry chef|"
        "a platoon of infantry|the harpsichord tuner|a juggler in velvet|the ferryman|an Arctic trapper|"
        "the sheriff's deputy|a ballerina|the gravedigger|an exhausted goalkeeper|the cobbler's twins|"
        "a Venetian glassblower"
    ).split("|"),
    (
        "knitted|swallowed|buried|serenaded|auctioned off|photographed|whitewashed|poached|smuggled|baptized|"
        "embroidered|sheared|devoured|mourned|carved|harpooned|upholstered|pruned|kidnapped|unearthed|pickled|"
        "galloped past|caressed|thatched"
    ).split("|"),
    (
        "a scarf of alpaca wool|seven oysters with lemon|the bishop's parrot|a mandolin|her dowry of silver spoons|"
        "the eclipse|a chicken coop|wild salmon|crates of Portuguese brandy|the newborn calf|a tablecloth for Easter|"
        "forty merino lambs|a plate of rhubarb crumble|the fallen hussars|a gargoyle with antlers|an orca|"
        "the sultan's divan|the orchard's quince trees|a jaguar cub|the bones of a mammoth|cucumbers in dill|"
        "an abandoned windmill|a stallion's mane|the chapel roof"
    ).split("|"),
    (
        "while hail rattled the shutters|before the monsoon drowned the rice terraces|under a sky full of kites|"
        "as the choir hummed vespers|until gangrene set in|during the siege of the citadel|"
        "between breakfast and the funeral|when the volcano coughed ash|in the ninth inning|beside the frozen fjord|"
        "after the harvest dance|to the beat of bongos|amid blooming lavender|at the gates of the casino|"
        "throughout Ramadan|under a sycamore|long before the plague|with mud up to the knees|on the eve of her wedding|"
        "by the glow of lanterns|far from any oasis|among penguins|in spite of the toothache|for a bag of marbles"
    ).split("|"),
)


def off_topic_text(content: str, rng: np.random.Generator) -> str:
    """A sentence of village life, of words that few datasets have; two of them share few."""
    sentence = " ".join(str(rng.choice(words)) for words in STRANGE)
    return f"{sentence[0].upper()}{sentence[1:]}."


# Vectors


def nudge(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The vector with noise of 1% of its length."""
    noise = rng.standard_normal(len(content))
    length = np.linalg.norm(content)
    return (content + 0.01 * length * noise / max(np.linalg.norm(noise), 1e-12)).astype(content.dtype)


def random_direction(content: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A vector of the same length that points anywhere."""
    noise = rng.standard_normal(len(content))
    return (noise * np.linalg.norm(content) / max(np.linalg.norm(noise), 1e-12)).astype(content.dtype)
