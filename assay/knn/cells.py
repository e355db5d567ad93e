"""Cells around centres (an inverted file; Jégou, Douze & Schmid 2011): a row's neighbours are searched for only in
cells whose centre is about as near to some row of its cell as that cell's own centre.

How much farther a centre may be is chosen so that the known neighbours of some sample rows are found. Clustered data
then need a tenth of all pairs, data without clusters nearly all. Centres are means of a sample's cells after two
rounds: more rounds save little, and would spread a difference in the last bit over all of them.
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

    `cell` (n,): the cell of each row; `members`: the rows of each cell; `farther` (m, m), in cosine: over the rows of
    the first cell, the least by which the second cell's centre is farther away than their own.
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
        """How much farther a cell may be, so that `recall` of the `neighbors` (s, k) of some rows are found."""
        needed = self.farther[self.cell[rows][:, None], self.cell[neighbors]]
        return float(needed.flatten().quantile(recall, interpolation="higher"))

    def near(self, limit: float, least: int) -> torch.Tensor:
        """(m, m) bool, the cells to search for each cell's rows; all cells if the near ones hold fewer than `least`
        rows."""
        near = self.farther <= limit
        near[near.float() @ self.size.float() < least] = True
        return near

    def share(self, near: torch.Tensor) -> float:
        """The share of all pairs of rows that is compared."""
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
