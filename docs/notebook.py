"""Makes docs/notebook.ipynb: the cells below, run top to bottom, with what they show.

    python docs/notebook.py

Wants the extra `test`. Left out of what is kept: progress on standard error, times, and whatever names this machine.
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

TARGET = Path(__file__).with_suffix(".ipynb")
CELLS = """# %% [markdown]
# assay in a notebook
# ===================
#
# A night on scikit-learn's digits, in this process and offline: 1,797 vectors of 64 pixels, with some labels made wrong
# so that there is something to find. The calls are those of [api.md](api.md).
# %%
import tempfile

import numpy as np
import polars as pl
from sklearn.datasets import load_digits

import assay

home = tempfile.TemporaryDirectory(prefix="assay-notebook-")  # where results live; a real one is a folder that stays
digits = load_digits()
labels = digits.target.copy()
wrong = np.random.default_rng(0).choice(len(labels), 40, replace=False)
labels[wrong] = (labels[wrong] + 1) % 10
# %% [markdown]
# One call is one night: read, clean, de-duplicate, embed, measure, publish. Progress goes to standard error.
# %%
snapshot = assay.run(
    vectors=digits.data,
    labels=[str(label) for label in labels],
    name="digits",
    home=home.name,
    project={"methods": ["pca"]},
)
snapshot
# %% [markdown]
# What it published are tables. Which labels look wrong, worst first?
# %%
pl.Config.set_tbl_rows(10)
issues = snapshot.table("label_issues").filter("is_issue").sort("score", "sample_id", descending=[True, False])
issues.head(10)
# %% [markdown]
# Forty labels were made wrong. How many of them were found, and how many others are flagged?
# %%
position = dict(snapshot.table("samples", ["sample_id", "position"]).iter_rows())
flagged = {position[sample] for sample in issues["sample_id"]}
{"found": len(flagged & set(wrong)), "of": len(wrong), "flagged besides": len(flagged - set(wrong))}
# %% [markdown]
# The twenty worst of them, under each the label as given and, after the arrow, what is suggested.
# %%
from PIL import Image, ImageDraw

sheet = Image.new("L", (10 * 56, 2 * 76), 255)
for place, (sample, given, suggested) in enumerate(
    issues.select("sample_id", "label", "suggested_label").head(20).iter_rows()
):
    left, top = place % 10 * 56 + 4, place // 10 * 76 + 4
    pixels = 255 - (digits.images[position[sample]] * 255 / 16).astype(np.uint8)
    sheet.paste(Image.fromarray(pixels).resize((48, 48), Image.Resampling.NEAREST), (left, top))
    ImageDraw.Draw(sheet).text((left + 10, top + 52), f"{given} > {suggested}", fill=0)
sheet
# %% [markdown]
# Anything else is a question in SQL, over this snapshot and, as `history.TABLE`, over all nights.
# %%
snapshot.sql("select label, n, noise, overlap_label from classes order by noise desc nulls last, label limit 5").pl()
# %% [markdown]
# The next night takes in what has changed since: here the flagged labels are put right. What was embedded is not
# embedded again.
# %%
for sample, suggested in issues.select("sample_id", "suggested_label").iter_rows():
    labels[position[sample]] = int(suggested)
second = assay.run(
    vectors=digits.data,
    labels=[str(label) for label in labels],
    name="digits",
    home=home.name,
    project={"methods": ["pca"]},
)
second.diff().group_by("change", "metric").len("samples").sort("samples", "change", descending=True)
# %% [markdown]
# What is left when copies are out and decisions are done, and whether the files are as they were written:
# %%
{"newest": second.number, "clean": len(second.clean()), "damaged": second.verify()}
# %% [markdown]
# `second.explore()` opens the explorer inside a cell: the map, the queues of issues to review, and what to take away.
# It is left out here, since it lives no longer than its process.
# %%
home.cleanup()
"""


def make_notebook() -> NotebookNode:
    """The cells, not run yet."""
    cells = []
    for number, text in enumerate(CELLS.split("# %%")[1:]):
        head, _, body = text.partition("\n")
        if "[markdown]" in head:
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines()]
            cell = nbformat.v4.new_markdown_cell("\n".join(lines))
        else:
            cell = nbformat.v4.new_code_cell(body.strip())
        cell["id"] = f"cell-{number:02d}"
        cells.append(cell)
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


def run_cells(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """The notebook with what its cells show, run in `folder`; raises where one fails."""
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, startup_timeout=200, resources=place).execute()
    for cell in notebook.cells:
        cell.metadata = NotebookNode()
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                keep_best(output.get("data", {}))
    notebook.metadata = make_notebook().metadata
    return notebook


def keep_best(shown: dict[str, object]) -> None:
    """Of several forms of one thing the first that is there: a picture, a table, text."""
    for form in ("image/png", "text/html", "text/plain"):
        if form in shown:
            for other in shown.keys() - {form}:
                del shown[other]


def main() -> None:
    """Run the cells and write the notebook beside this file."""
    nbformat.write(run_cells(make_notebook(), Path.cwd()), TARGET)
    print(TARGET, file=sys.stderr)


if __name__ == "__main__":
    main()
