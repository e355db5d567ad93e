// Search by a picture that was pasted, dropped or chosen.
import { api } from "./api.js";
import { page } from "./context.js";
import { button, h, toast } from "./dom.js";
import { state } from "./state.js";
import { withKey } from "./filters.js";

const MOST_BYTES = 3_000_000; // a larger one is scaled down before it is sent
const SIDE = 1024;

export const pictureIn = (files) => [...(files ?? [])].find((file) => file.type.startsWith("image/")) ?? null;

export async function searchByPicture(file) {
  if (!page.meta?.has_pictures) return toast("These samples cannot be searched by a picture.");
  const { name } = await api.picture(page.meta.number, await fitting(file));
  page.change({
    page: "map",
    sample: null,
    tab: "samples",
    sort: "similarity",
    filter: withKey(state.filter, "picture", { name, k: 200 }),
  });
}

async function fitting(file) {
  if (file.size <= MOST_BYTES) return file;
  const bitmap = await createImageBitmap(file),
    scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = h("canvas", {
    width: Math.round(bitmap.width * scale),
    height: Math.round(bitmap.height * scale),
  });
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
}

// The button beside the search; and wherever on the page a picture is pasted or dropped.
export function pictureButton() {
  const file = h("input", { type: "file", accept: "image/*", hidden: true, "aria-label": "A picture" });
  file.addEventListener("change", () => {
    const chosen = pictureIn(file.files);
    if (chosen) page.guard(searchByPicture(chosen));
    file.value = "";
  });
  const words = "Search by a picture: choose one, paste it, or drop it on the page";
  return h(
    "span",
    { class: "by-picture" },
    button("image", words, () => file.click(), { class: "quiet" }),
    file,
  );
}

export function listenForPictures() {
  document.addEventListener("paste", (event) => take(event, event.clipboardData));
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => take(event, event.dataTransfer));
}

function take(event, data) {
  const file = pictureIn(data?.files);
  if (!file || api.offline) return;
  event.preventDefault();
  page.guard(searchByPicture(file));
}
