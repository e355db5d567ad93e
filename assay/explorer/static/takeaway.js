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
  ["jsonl", "JSON lines", "to train on"],
];
const CVAT = ["cvat", "CVAT", "given and suggested labels, as CVAT for images 1.1"];
const HUGGING_FACE = ["huggingface", "Hugging Face", "a folder for load_dataset, in a ZIP"];

// What these samples can be taken away as: not every tool takes every kind.
function forms(list, what) {
  const { face } = page.meta,
    boxed = face === "boxes";
  return [
    boxed ? COCO : null,
    ...list.filter(([form]) => form !== "zip" || !(boxed || face === "drawing")),
    what === "selection" && ["picture", "captioned", "boxes"].includes(face) ? CVAT : null,
    what === "cleaned" && ["picture", "sound", "video", "text"].includes(face) ? HUGGING_FACE : null,
  ].filter(Boolean);
}

function download(what, form, filter) {
  return async () => {
    closeMenu();
    try {
      const { meta } = page,
        blob = await api.exported(meta.number, { what, format: form, filter });
      const ending = { labelstudio: "json", coco: "json", cvat: "xml", huggingface: "zip" }[form] ?? form;
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
      forms(SELECTION, "selection").map((form) => line(form, "selection", filter)),
      h("p", { class: "small" }, "Cleaned: copies out, accepted labels in"),
      forms(CLEANED, "cleaned").map((form) => line(form, "cleaned", filter)),
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
