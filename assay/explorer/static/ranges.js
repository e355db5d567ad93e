// A range of numbers as it is slid or typed: what is not moved stays as exact as it was. No page here.

const DIGITS = 9; // tell any two float32 apart

// From two sliders over [low, high]; null where all of it is chosen. At its ends a slider means the end itself.
export function slid(lower, upper, [low, high]) {
  const near = (high - low) / 800 || 0.5,
    whole = [lower <= low + near, upper >= high - near];
  if (whole[0] && whole[1]) return null;
  return [whole[0] ? low : +lower.toPrecision(DIGITS), whole[1] ? high : +upper.toPrecision(DIGITS)];
}

export const shown = (value) => String(+value.toPrecision(6));

// From two boxes that showed the range `now`; null where all of [low, high] is chosen. An empty box is no limit.
export function typed(texts, now, [low, high]) {
  const ends = texts.map((text, at) =>
    text.trim() === "" ? [low, high][at] : text === shown(now[at]) ? now[at] : +text,
  );
  return ends[0] <= low && ends[1] >= high ? null : ends;
}
