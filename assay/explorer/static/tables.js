// The tables of a snapshot on a page of their own, one sheet at a time.
import { page } from "./context.js";
import { h } from "./dom.js";
import { SHEETS_OF } from "./sheets.js";
import { state } from "./state.js";
import { walk } from "./table.js";

export const SHEETS = [
  ["classes", "Classes"],
  ["confusion", "Confusion"],
  ["noise", "Noise"],
  ["groups", "Groups"],
  ["annotators", "Annotators"],
  ["rejects", "Rejects"],
  ["health", "Health"],
];

export async function showTables(host) {
  const meta = page.meta,
    sheet = SHEETS.some(([name]) => name === state.sheet) ? state.sheet : "classes";
  state.sheet = sheet; // an address may name one that there is not
  const tabs = h(
    "div",
    { class: "tabs", role: "tablist", "aria-label": "Tables", onkeydown: walk },
    SHEETS.map(([name, title]) =>
      h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `sheet-${name}`,
          "aria-selected": String(name === sheet),
          "aria-controls": "sheet",
          tabindex: name === sheet ? "0" : "-1",
          onclick: () => page.change({ sheet: name }),
        },
        title,
      ),
    ),
  );
  const body = h("div", {
    class: "sheet",
    id: "sheet",
    role: "tabpanel",
    "aria-labelledby": `sheet-${sheet}`,
    tabindex: "0",
  });
  const focused =
    document.activeElement?.getAttribute("role") === "tab" && host.contains(document.activeElement);
  host.replaceChildren(tabs, body);
  if (focused) tabs.querySelector("[aria-selected=true]").focus();
  const node = await SHEETS_OF[sheet](meta);
  if (page.meta === meta && state.sheet === sheet) body.replaceChildren(...[node].flat());
  host.dataset.ready = sheet;
}
