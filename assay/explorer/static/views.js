// Views saved by name beside the decisions: the same for everybody who opens this dataset.
import { api } from "./api.js";
import { page } from "./context.js";
import { button, h, toast } from "./dom.js";
import { closeMenu, openMenu } from "./menu.js";
import { packed, state, unpacked } from "./state.js";

export async function openViews(from) {
  try {
    const { views } = await api.views();
    draw(from, views);
  } catch (error) {
    toast(error.message);
  }
}

function draw(from, views) {
  const box = h("input", {
    type: "text",
    maxlength: "80",
    placeholder: "Name of this view",
    "aria-label": "Name of this view",
  });
  const keep = async (event) => {
    event.preventDefault();
    if (!box.value.trim()) return;
    if (!(await store(box.value.trim(), { ...packed(state), s: undefined, i: undefined }))) return;
    closeMenu();
    toast(`Saved as ${box.value.trim()}.`);
  };
  const open = (view) => {
    closeMenu();
    page.change({ ...unpacked(view.state), snapshot: state.snapshot });
  };
  const remove = async (view) => {
    const left = await store(view.name, null);
    if (left) draw(from, left);
  };
  openMenu(
    from,
    h(
      "div",
      { class: "items" },
      h("form", { class: "ask", onsubmit: keep }, box, h("button", { type: "submit" }, "Save")),
      views.length
        ? views.map((view) =>
            h(
              "div",
              { class: "saved" },
              h(
                "button",
                { type: "button", class: "item", onclick: () => open(view) },
                view.name,
                h("span", { class: "small" }, `${view.who}, ${view.at}`),
              ),
              button("close", `Remove the view ${view.name}`, () => remove(view)),
            ),
          )
        : h(
            "p",
            { class: "small" },
            "No view is saved yet. What you see now, filters and camera included, is kept under a name.",
          ),
    ),
    { label: "Saved views" },
  );
}

// Keeps a view, or removes it; gives all that there are then, or null where that failed, which is said.
async function store(name, view) {
  try {
    return (await api.saveView(name, view)).views;
  } catch (error) {
    toast(error.message);
    return null;
  }
}
