"""Videos through the video towers of transformers: VideoMAE, TimeSformer, ViViT, V-JEPA 2.

A model gets as many frames as it was made for, spread evenly over the video; a video of fewer frames repeats some. The
vector is the mean over the model's last hidden states.
"""

import numpy as np
import numpy.typing as npt
import torch
import transformers
from PIL import Image

from assay.embedders.base import Collect
from assay.embedders.torch_model import autocast, in_halves
from assay.embedders.transformers_folder import LOCALLY, FolderTower, folder_is_loadable, load_model
from assay.embedders.weights import refuse
from assay.modalities.video.decode import Limits
from assay.modalities.video.looking import pictures

FRAME_AREA = 400 * 400  # pixels that the model's own preprocessing starts from
INPUTS = ("pixel_values", "pixel_values_videos")

Frames = npt.NDArray[np.uint8]


class VideoTower(FolderTower):
    """`AutoModel` and `AutoVideoProcessor` of a folder."""

    batch_size, together = 4, (1, 8)

    def load(self) -> None:
        """Bring the tower into memory. Raises `EmbedderError` where its files are damaged or those of another kind."""
        if self._model is not None:
            return
        with folder_is_loadable(self._spec, self._folder):
            model = load_model(self._spec, self._folder)
            self._frames = _frames_read(model.config)
            if self._frames:
                self._process = transformers.AutoVideoProcessor.from_pretrained(str(self._folder), **LOCALLY)
        if not self._frames:
            raise refuse(self._spec, f"{self._folder} is not a model of videos: it names no number of frames")
        self._extra = {"skip_predictor": True} if model.config.model_type == "vjepa2" else {}
        self._model = model.eval().requires_grad_(False).to(self._device)
        self._dimensions = self._run([np.zeros((self._frames, 64, 64, 3), dtype=np.uint8)]).shape[1]

    def prepare(self, item: bytes) -> Frames:
        """uint8 (frames, h, w, 3) of a video's bytes. Raises `UnreadableSample`."""
        clean = self._spec.clean
        limits = Limits(clean.max_pixels, clean.max_seconds, clean.max_frames)
        found = pictures(item, limits, self._frames, FRAME_AREA)
        places = (np.arange(self._frames) * len(found)) // self._frames
        return np.stack([_sized(found[place], found[0].size) for place in places.tolist()])

    def launch(self, batch: list[Frames], n: int) -> Collect:
        """Vectors of a batch, in halves when memory runs out. Raises `EmbedderError` where one video is too much."""
        vectors, self._inner = in_halves(self._run, batch[:n], self._inner)
        return lambda: vectors

    @torch.inference_mode()
    def _run(self, videos: list[Frames]) -> npt.NDArray[np.float32]:
        """(n, d) of some videos, in one forward pass."""
        assert self._model is not None, "load first"
        inputs = [self._process(list(frames), return_tensors="pt") for frames in videos]
        name = next(name for name in INPUTS if name in inputs[0])
        pixels = torch.cat([one[name] for one in inputs]).to(self._device)
        with autocast(self._device, self._precision):
            hidden = self._model(**{name: pixels}, **self._extra).last_hidden_state
        return np.asarray(hidden.float().mean(dim=1).cpu().numpy(), dtype=np.float32)


def _frames_read(config: transformers.PretrainedConfig) -> int:
    """How many frames the model reads; 0 of one that is no model of videos."""
    return int(getattr(config, "num_frames", 0) or getattr(config, "frames_per_clip", 0) or 0)


def _sized(picture: Image.Image, size: tuple[int, int]) -> Frames:
    return np.asarray(picture if picture.size == size else picture.resize(size))
