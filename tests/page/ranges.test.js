import assert from "node:assert/strict";
import { test } from "node:test";
import { shown, slid, typed } from "../../assay/explorer/static/ranges.js";

const LEAST = Math.fround(0.123456789), // is written as 0.123457, which is more
  ENDS = [LEAST, 9.5];

test("one slider that is moved leaves the other end where it is, to the last bit", () => {
  assert.deepEqual(slid(LEAST, 4, ENDS), [LEAST, 4]);
  assert.deepEqual(slid(3, 9.4999, ENDS), [3, 9.5]);
  assert.equal(slid(LEAST, 9.5, ENDS), null);
});

test("a slider tells values apart that a snapshot tells apart", () => {
  const ends = [1_700_000_000, 1_700_003_600];
  const [low, high] = slid(1_700_001_024, 1_700_002_048, ends);
  assert.deepEqual([low, high], [1_700_001_020, 1_700_002_050]);
  assert.equal(slid(7.5, 7.5, [7.5, 7.5]), null); // of one value alone all is chosen
});

test("a box that nobody changed keeps what it stands for", () => {
  const now = [LEAST, 9.5];
  assert.deepEqual(typed([shown(LEAST), "4"], now, ENDS), [LEAST, 4]);
  assert.equal(typed([shown(LEAST), shown(9.5)], now, ENDS), null);
});

test("an empty box is no limit, and what is beyond the ends is none either", () => {
  assert.equal(typed(["", " "], [1, 2], ENDS), null);
  assert.equal(typed(["-5", "1e9"], ENDS, ENDS), null);
  assert.deepEqual(typed(["", "2"], [1, 9], ENDS), [LEAST, 2]);
  assert.deepEqual(typed(["0.25", ""], [1, 9], ENDS), [0.25, 9.5]);
});
