import assert from "node:assert/strict";
import { test } from "node:test";
import { conditions, isRanking, ranks, withoutRanking } from "../../assay/explorer/static/filters.js";
import { svgOf } from "../../assay/explorer/static/plot_svg.js";

const LOOK = { width: 300, height: 200, ground: "rgb(255, 255, 255)", ink: "black" };

test("a drawing has a circle a point and its names as text, and a name is never markup", () => {
  const circles = [
    { x: 10.123, y: 20, r: 3, color: "rgb(1 2 3)", opacity: 0.9, ring: null },
    { x: 30, y: 40, r: 3, color: "#abcdef", opacity: 0.3, ring: "#c7400d" },
  ];
  const drawn = svgOf(LOOK, circles, [{ x: 5, y: 6, text: '<script>alert("&")</script>\u0000' }]);
  assert.equal(drawn.match(/<circle /g).length, 2);
  assert.ok(drawn.includes('cx="10.12"') && drawn.includes('stroke="#c7400d"'));
  assert.ok(drawn.includes("&lt;script&gt;") && !drawn.includes("<script") && !drawn.includes("\u0000"));
  assert.ok(drawn.startsWith("<svg ") && drawn.endsWith("</svg>"));
});

test("a search by a picture is a condition that ranks, and goes where another search comes", () => {
  const filter = { values: { label: ["cat"] }, picture: { name: "ab", k: 200 } };
  assert.deepEqual(
    conditions(filter, []).map((one) => one.text),
    ["label is cat", "like the picture"],
  );
  assert.ok(ranks(filter) && isRanking("picture") && !isRanking("values"));
  assert.deepEqual(withoutRanking(filter), { values: { label: ["cat"] } });
});
