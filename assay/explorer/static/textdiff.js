// Two texts word by word: what only one of them has. No page here.

export const MOST = 400; // words of each that are compared

// Words, each with the white space after it.
const wordsOf = (text) => String(text).trim().match(/\S+\s*/g) ?? [];

// `[[word, own], …]` for both, where `own` says that the other lacks it there (longest common subsequence).
export function textDiff(left, right) {
  const [a, b] = [left, right].map((text) => wordsOf(text).slice(0, MOST));
  const same = (i, j) => a[i].trim() === b[j].trim();
  const wide = b.length + 1,
    length = new Uint16Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      length[i * wide + j] = same(i, j)
        ? length[(i + 1) * wide + j + 1] + 1
        : Math.max(length[(i + 1) * wide + j], length[i * wide + j + 1]);
    }
  }
  const mine = a.map((word) => [word, true]),
    theirs = b.map((word) => [word, true]);
  let i = 0,
    j = 0;
  while (i < a.length && j < b.length) {
    if (same(i, j)) {
      mine[i++][1] = false;
      theirs[j++][1] = false;
    } else if (length[(i + 1) * wide + j] >= length[i * wide + j + 1]) i++;
    else j++;
  }
  return [mine, theirs];
}

// Both as pieces, and what that shows in words.
export function compared(left, right) {
  const [mine, theirs] = textDiff(left, right),
    whole = [left, right].every((text) => wordsOf(text).length <= MOST),
    differ = [...mine, ...theirs].some(([, own]) => own);
  if (left === right || (whole && !differ)) return { mine, theirs, says: "Word for word the same." };
  if (!differ) return { mine, theirs, says: `The first ${MOST} words are the same.` };
  const says = "Words that only one of them has are marked.";
  return { mine, theirs, says: whole ? says : `${says} The first ${MOST} are compared.` };
}
