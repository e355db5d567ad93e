"""Cells around centres (an inverted file; Jégou, Douze & Schmid 2011): a row's neighbours are looked for in those cells
alone that are about as near to some row of its cell as that itself.

How much farther a cell may be is what holds the neighbours of some rows that are known. So clustered data are searched
in a tenth of all pairs, and data without clusters in nearly all. Centres are means of a sample's cells, made twice over
from rows: more rounds save little, and would spread a difference in the last bit over all of them.
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.nn.functional import normalize

from assay.store.evenly import evenly

SAMPLE = 20_000  # rows that the centres are made of
ROUNDS = 2
CHUNK = 8_192  # rows compared with all centres at a time
Block = tuple[np.ndarray, Callable[[], torch.Tensor]]  # rows, and what gives those among which their neighbours are


class Cells:
    """2·√n cells of n rows.

    `cell` (n,): the cell of each row; `members`: the rows of each cell; `farther` (m, m): the least that the second
    cell's centre is farther from a row of the first cell than that row's own, in cosine.
    """

    def __init__(self, space: torch.Tensor) -> None:
        """Cells of the rows of `space` (n, d)."""
        n = len(space)
        sample = normalize(space[evenly(n, SAMPLE)])
        centres = sample[evenly(len(sample), round(2 * n**0.5))]
        for _ in range(ROUNDS):
            cell = (sample @ centres.T).argmax(dim=1)
            centres = normalize(torch.zeros_like(centres).index_add_(0, cell, sample))
        self.cell = torch.cat([(rows @ centres.T).argmax(dim=1) for rows in space.split(CHUNK)])
        self.size = torch.bincount(self.cell, minlength=len(centres))
        self.members = torch.argsort(self.cell, stable=True).split(self.size.tolist())
        self.farther = torch.full((len(centres),) * 2, torch.inf)
        for number in self.size.nonzero()[:, 0].tolist():
            for rows in self.members[number].split(CHUNK):
                near = normalize(space[rows]) @ centres.T
                margin = (near[:, number, None] - near).amin(dim=0)
                self.farther[number] = torch.minimum(self.farther[number], margin)

    def limit(self, rows: torch.Tensor, neighbors: torch.Tensor, recall: float) -> float:
        """How much farther a cell may be for the near ones to hold `recall` of the `neighbors` (s, k) of some rows."""
        needed = self.farther[self.cell[rows][:, None], self.cell[neighbors]]
        return float(needed.flatten().quantile(recall, interpolation="higher"))

    def near(self, limit: float, least: int) -> torch.Tensor:
        """(m, m) bool, the cells to search for each cell's rows; all of them where the near ones have under `least`."""
        near = self.farther <= limit
        near[near.float() @ self.size.float() < least] = True
        return near

    def share(self, near: torch.Tensor) -> float:
        """The share of all pairs of rows that are compared."""
        size = self.size.double() / len(self.cell)
        return float(size @ near.double() @ size)

    def blocks(self, near: torch.Tensor, most: Callable[[int], int]) -> Iterator[Block]:
        """Every row, at most `most(candidates)` of a cell at a time, with the rows of the cells that are near it."""
        candidates = (near.double() @ self.size.double()).long().tolist()
        for number, members in enumerate(self.members):
            among = functools.partial(self._rows, near[number])
            yield from ((rows.numpy(), among) for rows in members.split(most(candidates[number])) if len(rows))

    def _rows(self, cells: torch.Tensor) -> torch.Tensor:
        """The rows of some cells (m,) bool."""
        return torch.cat([self.members[number] for number in cells.nonzero()[:, 0].tolist()])
