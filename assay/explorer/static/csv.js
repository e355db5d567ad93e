// Rows as a CSV of which no cell is a formula, escaped and read back as `assay/contracts/spreadsheet.py` says. No page.

const FORMULA = /^(?:[=＝\t\r\n]|[-+@＋－＠][^]*[(|!=＝])/;
const ESCAPED = "assay_escaped"; // names, in its row, the columns that got an apostrophe

const text = (value) => (value === null || value === undefined ? "" : String(value));
const quoted = (cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);

export function csvOf(names, rows) {
  const lines = rows.map((row) => row.map(text)),
    marks = lines.map((line) => names.filter((_, at) => FORMULA.test(line[at]))),
    safe = lines.map((line) => line.map((cell) => (FORMULA.test(cell) ? `'${cell}` : cell)));
  const all = marks.some((columns) => columns.length)
    ? [
        [...names, ESCAPED],
        ...safe.map((line, at) => [...line, marks[at].length ? JSON.stringify(marks[at]) : ""]),
      ]
    : [names, ...safe];
  return all.map((line) => `${line.map(quoted).join(",")}\n`).join("");
}
