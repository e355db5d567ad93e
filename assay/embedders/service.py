"""An embedding service over HTTP, of OpenAI's form: OpenAI, Ollama, vLLM, TEI and what is like them.

Each night some known inputs are embedded first, the canary. Where its vectors are no longer those of the nights before,
the model behind the name was changed: then everything is embedded anew, and `embedding_health` says so.
"""

import base64
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from assay.contracts.errors import EmbedderError, UnreadableSample
from assay.contracts.spec import Spec
from assay.embedders.base import Collect, Collected, Embedder
from assay.embedders.basis import fingerprint_of
from assay.embedders.registry import Plan, text_steps
from assay.embedders.service_batches import Batches
from assay.embedders.service_client import Client
from assay.embedders.weights import refuse
from assay.embedders.windows import Windows, mean_of_windows, read_windows
from assay.modalities.image.decode import decode_rgb
from assay.store.files import atomic_file
from assay.store.workspace import Workspace

SIDE = 512  # pixels that a picture's longer side is reduced to, unless `embed.image_size` says otherwise
QUALITY = 95  # of the JPEG that is sent
ALIKE = 0.999  # cosine to the canary of the nights before, below which it is another model
CANARY = (
    "The quick brown fox jumps over the lazy dog.",
    "Ein Satz über Wetter und Wind, auf Deutsch.",
    "def square(x): return x * x",
    "0 1 2 3 4 5 6 7 8 9",
)


@dataclass(frozen=True)
class Picture:
    """An image as the service gets it: a data URI."""

    uri: str


class ServiceEmbedder(Embedder):
    """Texts or images through a service; batches are sent from several threads."""

    def __init__(self, spec: Spec, fingerprint: str, client: Client) -> None:
        self.fingerprint = fingerprint
        self._spec, self._client = spec, client
        self._pictures = spec.data.content == "file"
        self.batch_size = spec.embed.batch_size or (8 if self._pictures else 64)
        one_by_one = self._pictures and spec.embed.service.images != "input"
        send = client.pictures if self._pictures else client.texts
        self._batches = Batches(send, lambda: client.dimensions, 1 if one_by_one else self.batch_size)

    @property
    def dimensions(self) -> int:
        """Numbers of a vector; known since the canary."""
        return self._client.dimensions

    def prepare(self, item: bytes | str) -> Picture | Windows:
        """A picture as a data URI, or a text as far as the model takes it, or its windows.

        Raises:
            UnreadableSample: the picture cannot be decoded, or the text is blank, which services refuse.
        """
        if isinstance(item, bytes):
            return Picture(picture_uri(decode_rgb(item, self._spec.clean.max_pixels).image, self._spec))
        text = item.encode("utf-8", "replace").decode("utf-8")
        if not text.strip():
            raise UnreadableSample("no_text", "the text is blank, and an embedding service takes no such text")
        return read_windows(
            text, len, self._spec.embed.service.max_characters, self._spec.embed.long_texts == "windows"
        )

    def cut(self, prepared: Picture | Windows) -> tuple[int, int] | None:
        """Of a text, in characters."""
        if isinstance(prepared, Picture) or prepared.n_read == prepared.n_whole:
            return None
        return prepared.n_read, prepared.n_whole

    def collate(self, prepared: Sequence[Picture | Windows]) -> list[Picture | Windows]:
        """As they are."""
        return list(prepared)

    def launch(self, batch: list[Picture | Windows], n: int) -> Collect:
        """Vectors of the first `n`. Raises `EmbedderError` where the service does not give them."""
        most = self._spec.embed.service.max_characters
        pieces = [
            [item.uri] if isinstance(item, Picture) else [part[:most] for part in item.pieces] for item in batch[:n]
        ]
        vectors, refused = self._batches.vectors([piece for item in pieces for piece in item])
        owner = np.repeat(np.arange(n), [len(item) for item in pieces])
        found = mean_of_windows(vectors, [len(item) for item in pieces])
        said = {int(owner[row]): ("service_refused", words) for row, words in refused.items()}
        return Collected(found, said)


def service(spec: Spec, workspace: Workspace, _hashes: pl.Series, _tower: str) -> Plan:
    """What the spec's service would make, after its canary was looked at.

    Raises:
        EmbedderError: there is no address or no key, or the service does not answer as it should.
    """
    wanted = spec.embed.service
    if not wanted.url or not spec.embed.model:
        raise refuse(spec, 'embed.kind = "service" needs embed.service.url and embed.model')
    client = Client(spec.embed)
    common = dict(
        kind="service", url=wanted.url, model=spec.embed.model, dimensions=spec.embed.dimensions,
        storage=spec.embed.storage, text=text_steps(spec), long_texts=spec.embed.long_texts,
        max_characters=wanted.max_characters, images=[wanted.images, spec.embed.image_size, SIDE, QUALITY], version=1,
        modality=spec.modality,
    )  # fmt: skip
    name = fingerprint_of(**common)
    generation, similarity = _generation(spec, workspace, name, client)
    fingerprint = fingerprint_of(**common, generation=generation)

    def remember() -> None:
        with atomic_file(_last_file(workspace, name)) as aside:
            aside.write_text(str(generation), encoding="utf-8")

    def build() -> Embedder:
        return ServiceEmbedder(spec, fingerprint, client)

    return Plan("service", fingerprint, build, checks=_checks(similarity), done=remember)


def _checks(similarity: float | None) -> tuple[tuple[str, float, str, bool, str], ...]:
    same = similarity is None or similarity >= ALIKE
    note = "least cosine of some known inputs' vectors to those of the nights before"
    if not same:
        note = f"{note}: the model behind the service was changed, and everything was embedded again"
    return (("service_canary", round(1.0 if similarity is None else similarity, 4), f">= {ALIKE}", same, note),)


def _generation(spec: Spec, workspace: Workspace, name: str, client: Client) -> tuple[int, float | None]:
    """Which of the models that were seen behind this name is there tonight, and its likeness to the last one's canary;
    None in the first night. One that was not seen before is kept."""
    found = _canary(spec, client)
    folder = workspace.facts / "embedders"
    known = sorted(folder.glob(f"canary-{name}-*.npy"))
    likeness = [_alike(_read(file), found) for file in known]
    last = _last(_last_file(workspace, name), len(known))
    similarity = likeness[last] if known else None
    generation = next((number for number, value in enumerate(likeness) if value >= ALIKE), len(known))
    if generation == len(known):
        with atomic_file(folder / f"canary-{name}-{generation:03d}.npy") as aside, aside.open("wb") as stream:
            np.save(stream, found, allow_pickle=False)
    if known and generation != last:
        print(
            f"{spec.name}: the model behind {spec.embed.service.url} was changed; everything is embedded again",
            file=sys.stderr,
        )
    return generation, similarity


def _last_file(workspace: Workspace, name: str) -> Path:
    return workspace.facts / "embedders" / f"canary-{name}.last"


def _last(file: Path, count: int) -> int:
    """The number of the model of the last night that was embedded to its end."""
    try:
        number = int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        number = 0
    return min(max(number, 0), max(count - 1, 0))


def _read(file: Path) -> npt.NDArray[np.float32]:
    try:
        return np.asarray(np.load(file, allow_pickle=False), dtype=np.float32)
    except Exception as error:  # whatever NumPy makes of noise
        raise EmbedderError(f"{file} is damaged ({error}); remove it, and run again") from error


def _alike(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    """The least cosine of the rows; −1 where their shapes differ."""
    return float((one * other).sum(axis=1).min()) if one.shape == other.shape else -1.0


def _canary(spec: Spec, client: Client) -> npt.NDArray[np.float32]:
    """Unit vectors of the known inputs. Raises `EmbedderError` where the service gives none."""
    if spec.data.content == "file":
        vectors = client.pictures([picture_uri(_drawn(seed), spec) for seed in range(2)])
    else:
        vectors = client.texts([text[: spec.embed.service.max_characters] for text in CANARY])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(vectors).all() or not lengths.all():
        raise refuse(spec, f"the service at {spec.embed.service.url} gives vectors with NaN, infinity or length 0")
    return (vectors / lengths).astype(np.float32)


def _drawn(seed: int) -> Image.Image:
    """A smooth picture, the same on every machine."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((96, 96), Image.Resampling.BILINEAR)


def picture_uri(image: Image.Image, spec: Spec) -> str:
    """A picture as the data URI of a JPEG of at most `SIDE` pixels."""
    side = spec.embed.image_size or SIDE
    image = image.copy()
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
