"""A node among those around it, as a small picture: itself in the middle, its neighbours on a ring, theirs outside."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import sparse

from assay.store.evenly import evenly

SIDE = 192  # pixels
SCALE = 2  # drawn larger and reduced, so that lines are smooth
RING, OUTER = 0.26, 0.4  # of the side, radii
MOST, BEYOND, MOST_BEYOND = 20, 2, 28  # neighbours drawn; of each one's own; of all of these
PAPER, LINE, FAINT, INK, NOBODY = (252, 252, 250), (150, 155, 165), (214, 217, 222), (30, 32, 38), (158, 162, 170)
COLOURS = (  # those of the explorer's classes, the most frequent class first
    (49, 102, 224), (217, 113, 26), (21, 145, 95), (207, 47, 114), (125, 79, 214), (177, 138, 0), (12, 143, 179),
    (214, 64, 47), (92, 143, 16), (163, 72, 166), (84, 120, 143), (143, 102, 58),
)  # fmt: skip

Places = dict[int, tuple[float, float]]  # in pixels, by row; those around the node it is drawn for from the second on


class Neighbourhoods:
    """Draws the nodes of one graph; `label`: (n,) codes, −1 where unlabelled, each a colour."""

    def __init__(self, adjacency: sparse.csr_matrix, label: NDArray[np.int64]) -> None:
        self._indices, self._starts, self._label = adjacency.indices, adjacency.indptr, label
        known = np.bincount(label[label >= 0], minlength=1)
        self._rank = np.empty(len(known), dtype=np.int64)
        self._rank[np.argsort(-known, kind="stable")] = np.arange(len(known))
        self._font = ImageFont.load_default(9 * SCALE)

    def draw(self, node: int) -> bytes:
        """A JPEG of `SIDE` × `SIDE` pixels; how many neighbours are not drawn stands in its corner."""
        side = SIDE * SCALE
        picture = Image.new("RGB", (side, side), PAPER)
        pen = ImageDraw.Draw(picture)
        places, edges, near, hidden = self._layout(node)
        for one, other, is_faint in edges:
            pen.line([*places[one], *places[other]], fill=FAINT if is_faint else LINE, width=SCALE)
        for other, (x, y) in reversed(places.items()):
            radius = SCALE * (9 if other == node else 6 if other in near else 3)
            edge, width = (INK, 2 * SCALE) if other == node else (PAPER, SCALE)
            box = (x - radius, y - radius, x + radius, y + radius)
            pen.ellipse(box, fill=self._colour(other), outline=edge, width=width)
        if hidden:
            pen.text((5 * SCALE, side - 15 * SCALE), f"+{hidden:,}", fill=INK, font=self._font)
        buffer = io.BytesIO()
        picture.reduce(SCALE).save(buffer, "JPEG", quality=85)
        return buffer.getvalue()

    def neighbors(self, node: int) -> NDArray[np.int32]:
        """The rows that a node is tied to."""
        return self._indices[self._starts[node] : self._starts[node + 1]]

    def _layout(self, node: int) -> tuple[Places, list[tuple[int, int, bool]], set[int], int]:
        """Places, the middle first; edges, faint outside; the neighbours that are drawn, and how many are not."""
        mine = self.neighbors(node)
        order = mine[np.argsort(self._label[mine], kind="stable")]
        shown = order[evenly(len(order), MOST)]
        places: Places = {node: (SIDE * SCALE / 2, SIDE * SCALE / 2)}
        edges: list[tuple[int, int, bool]] = []
        angles = np.linspace(0, 2 * np.pi, len(shown), endpoint=False) - np.pi / 2
        for one, angle in zip(shown.tolist(), angles, strict=True):
            places[one] = _on_ring(angle, RING)
            edges.append((node, one, False))
        self._beyond(shown, angles, places, edges)
        return places, edges, set(shown.tolist()), len(mine) - len(shown)

    def _beyond(
        self,
        shown: NDArray[np.int32],
        angles: NDArray[np.float64],
        places: Places,
        edges: list[tuple[int, int, bool]],
    ) -> None:
        """The neighbours' neighbours: ties among those that are drawn already, and a few further ones."""
        room, near = MOST_BEYOND, set(shown.tolist())
        spread = 2 * np.pi / max(len(shown), 3) / (BEYOND + 1)
        for one, angle in zip(shown.tolist(), angles, strict=True):
            others = self.neighbors(one)[:200].tolist()
            edges += [(one, other, False) for other in others if other in near and other > one]
            further = [other for other in others if other not in places][: min(BEYOND, room)]
            for place, other in enumerate(further):
                places[other] = _on_ring(angle + spread * (place - (len(further) - 1) / 2), OUTER)
                edges.append((one, other, True))
            room -= len(further)

    def _colour(self, node: int) -> tuple[int, int, int]:
        code = int(self._label[node])
        return COLOURS[int(self._rank[code]) % len(COLOURS)] if code >= 0 else NOBODY


def _on_ring(angle: float, radius: float) -> tuple[float, float]:
    side = SIDE * SCALE
    return side * (0.5 + radius * float(np.cos(angle))), side * (0.5 + radius * float(np.sin(angle)))
