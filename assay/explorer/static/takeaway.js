// What can be taken away: the selection, the cleaned dataset, a picture of the plot, a link.
import { api } from "./api.js";
import { page } from "./context.js";
import { h, toast } from "./dom.js";
import { closeMenu, openMenu } from "./menu.js";
import { plotSvg } from "./plot_svg.js";
import { counted } from "./words.js";

export function save(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 30_000);
}

const SELECTION = [
  ["parquet", "Parquet", "every column, with what was found"],
  ["csv", "CSV", "safe for spreadsheets"],
  ["labelstudio", "Label Studio", "tasks with the suggestions as predictions"],
  ["jsonl", "JSON lines", "a plain task a line"],
];
const COCO = ["coco", "COCO", "the boxes, in pixels"];
const CLEANED = [
  ["zip", "Folder", "the files, one folder a class, in a ZIP"],
  ["parquet", "Parquet", "to train on"],
  ["csv", "CSV", "to train on"],
  ["jsonl", "JSON lines", "to train on, as Hugging Face reads them"],
];

const withCoco = (forms) => (page.meta.face === "boxes" ? [COCO, ...forms] : forms);

function download(what, form, filter) {
  return async () => {
    closeMenu();
    try {
      const { meta } = page,
        blob = await api.exported(meta.number, { what, format: form, filter });
      const ending = { labelstudio: "json", coco: "json" }[form] ?? form;
      save(blob, `${meta.dataset}-v${meta.number}-${what}.${ending}`);
    } catch (error) {
      toast(error.message);
    }
  };
}

const line = ([form, name, note], what, filter) =>
  h(
    "button",
    { type: "button", class: "item", onclick: download(what, form, filter) },
    name,
    h("span", { class: "small" }, note),
  );

export function openExports(from, n, filter, plot = null) {
  if (api.offline) {
    const csv = ["csv", "CSV", `the ${counted(n, "selected sample")}`];
    return openMenu(from, h("div", { class: "items" }, line(csv, "selection", filter)), {
      label: "Take away",
    });
  }
  openMenu(
    from,
    h(
      "div",
      { class: "items" },
      h("p", { class: "small" }, `The ${counted(n, "selected sample")}, with what was found`),
      withCoco(SELECTION).map((form) => line(form, "selection", filter)),
      h("p", { class: "small" }, "Cleaned: without copies and dropped ones, accepted labels put in"),
      withCoco(CLEANED).map((form) => line(form, "cleaned", filter)),
      plot
        ? [
            h("p", { class: "small" }, "The view"),
            h(
              "button",
              { type: "button", class: "item", onclick: () => picture(plot) },
              "Picture of the plot",
              h("span", { class: "small" }, "PNG, as it is seen"),
            ),
            h(
              "button",
              { type: "button", class: "item", onclick: () => drawing(plot) },
              "Drawing of the plot",
              h("span", { class: "small" }, "SVG, for a paper or a slide"),
            ),
            h(
              "button",
              { type: "button", class: "item", onclick: copyLink },
              "Link to this view",
              h("span", { class: "small" }, "copied; it stays valid for this snapshot"),
            ),
          ]
        : null,
    ),
    { label: "Take away" },
  );
}

async function picture(plot) {
  closeMenu();
  save(await plot.png(), `${page.meta.dataset}-v${page.meta.number}-map.png`);
}

function drawing(plot) {
  closeMenu();
  save(plotSvg(plot), `${page.meta.dataset}-v${page.meta.number}-map.svg`);
}

// A link that names its snapshot, so that it shows the same tomorrow.
async function copyLink() {
  closeMenu();
  const given = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}");
  const view = encodeURIComponent(JSON.stringify({ ...given, s: page.meta.number }));
  const link = `${location.origin}${location.pathname}#${view}`;
  try {
    await navigator.clipboard.writeText(link);
    toast("The link is copied.");
  } catch {
    toast(link);
  }
}
