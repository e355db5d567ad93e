// How a sample is shown, by its face: small on a card, large alone, beside another. A new face is an
// entry here: `small(data, snapshot)`, `large(data, snapshot, note)` → node, `peek(data, snapshot)`, and
// `difference(a, b, snapshot)` → node or null; `shape` says how its cards lie ("tiles" or "lines").
import { api } from "./api.js";
import { h, svg } from "./dom.js";
import { compared } from "./textdiff.js";
import { ZoomPane } from "./zoom.js";

const named = (data) => `Sample labelled ${(data.label ?? "nothing").slice(0, 100)}`;

function thumbnail(data, snapshot) {
  return h("img", {
    src: api.thumbnail(snapshot, data.row),
    alt: "",
    loading: "lazy",
    decoding: "async",
    draggable: "false",
    onerror: (event) => event.target.replaceWith(h("span", { class: "blank" }, "no picture")),
  });
}

// The real pixels in place of the thumbnail, as soon as they are there; the note says how large, or why not.
async function sharpen(pane, data, snapshot, note) {
  try {
    const url = URL.createObjectURL(await api.raw(snapshot, data.row));
    await pane.show(url);
    if (note) note.textContent = `${pane.natural[0]} × ${pane.natural[1]}`;
  } catch (error) {
    if (note) note.textContent = `This is the thumbnail: ${error.message}`;
  }
}

const MARKED_ABOVE = 24; // of 255: a difference that small is compression

// Where two pictures differ, as a picture: the second is scaled to the first; brighter is farther apart.
async function pictureDifference(a, b, snapshot, whole = true) {
  const small = async (data) => (await fetch(api.thumbnail(snapshot, data.row))).blob();
  const load = async (data) =>
    createImageBitmap(
      whole ? await api.raw(snapshot, data.row).catch(() => small(data)) : await small(data),
    );
  const [left, right] = await Promise.all([load(a), load(b)]);
  const scale = Math.min(1, 512 / Math.max(left.width, left.height));
  const width = Math.max(1, Math.round(left.width * scale)),
    height = Math.max(1, Math.round(left.height * scale));
  const pixels = (image) => {
    const canvas = h("canvas", { width, height }),
      pen = canvas.getContext("2d", { willReadFrequently: true });
    pen.drawImage(image, 0, 0, width, height);
    return pen.getImageData(0, 0, width, height);
  };
  const one = pixels(left),
    two = pixels(right),
    out = h("canvas", { width, height, class: "difference" });
  let apart = 0;
  for (let i = 0; i < one.data.length; i += 4) {
    let far = 0;
    for (let c = 0; c < 3; c++) far = Math.max(far, Math.abs(one.data[i + c] - two.data[i + c]));
    if (far > MARKED_ABOVE) apart++;
    const shown = Math.min(255, far * 3);
    one.data.set([shown, Math.round(shown * 0.55), Math.round(shown * 0.2), 255], i);
  }
  out.getContext("2d").putImageData(one, 0, 0);
  out.setAttribute("role", "img");
  const share = apart / (width * height);
  const says =
    share < 0.0005
      ? "Pixel for pixel the same."
      : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}% of the pixels differ.`;
  out.setAttribute("aria-label", `Difference: ${says}`);
  return h("figure", { class: "differs" }, out, h("figcaption", {}, says));
}

const CUT = 600; // characters of a text that a card has

async function wholeText(data, snapshot) {
  const { text } = (data.text ?? "").length < CUT ? data : await api.sample(snapshot, data.id);
  return text ?? "";
}

function marked(pieces) {
  return h(
    "div",
    { class: "text" },
    pieces.map(([word, own]) => (own ? h("mark", {}, word) : word)),
  );
}

// The outline of an object over a picture drawn `width` wide: its line as thick as now, its inside tinted.
function drawOutline(pen, { outline, size }, width, tinted) {
  const scale = width / size[0],
    path = new Path2D();
  path.addPath(new Path2D(outline), new DOMMatrix().scale(scale));
  pen.stroke(path);
  if (!tinted) return;
  pen.globalAlpha = 0.3;
  pen.fill(path, "evenodd");
  pen.globalAlpha = 1;
}

// The outline over a crop that fills its frame as `object-fit: cover` does.
function overCrop({ outline }) {
  if (!outline) return null;
  const frame = { viewBox: outline.crop.join(" "), preserveAspectRatio: "xMidYMid slice", class: "outline" };
  return svg("svg", { ...frame, "aria-hidden": "true" }, svg("path", { d: outline.path }));
}

// The whole picture with its boxes drawn in: this one thick, the others thin with their classes.
async function drawBoxes(canvas, data, snapshot, note) {
  try {
    const image = await createImageBitmap(await api.raw(snapshot, data.row)),
      longest = Math.max(image.width, image.height),
      scale = Math.min(1200, Math.max(600, longest)) / longest; // small ones larger, so that lines and names are sharp
    const width = (canvas.width = Math.max(1, Math.round(image.width * scale))),
      height = (canvas.height = Math.max(1, Math.round(image.height * scale))),
      pen = canvas.getContext("2d"),
      unit = Math.max(width, height) / 400;
    pen.drawImage(image, 0, 0, width, height);
    pen.font = `${Math.round(11 * unit)}px sans-serif`;
    pen.textBaseline = "top";
    const own = (one) => one.id === data.id;
    for (const one of [...data.boxes].sort((a, b) => own(a) - own(b))) {
      const [x, y, w, h] = one.box.map((share, i) => share * (i % 2 ? height : width));
      pen.strokeStyle = pen.fillStyle = own(one) ? "#ff3b30" : "#ffd60a";
      pen.lineWidth = (own(one) ? 2.5 : 1) * unit;
      pen.strokeRect(x, y, w, h);
      if (one.outline) drawOutline(pen, one, width, own(one));
      const name = (one.label ?? "no label").slice(0, 30),
        top = Math.max(0, y - 13 * unit);
      pen.fillRect(x, top, pen.measureText(name).width + 4 * unit, 13 * unit);
      pen.fillStyle = own(one) ? "#fff" : "#000";
      pen.fillText(name, x + 2 * unit, top + unit);
    }
    canvas.setAttribute("aria-label", `${named(data)}, among ${data.boxes.length} boxes of its picture`);
    const others = data.boxes.length - 1,
      count = others === 0 ? "the only box" : `this box red, ${others} more`;
    note.textContent = `${image.width} × ${image.height}; ${count}.`;
  } catch (error) {
    canvas.replaceWith(thumbnail(data, snapshot));
    note.textContent = `This is the box alone: ${error.message}`;
  }
}

const MOST_PLAYERS = 4; // files that are held at a time; whoever looks on has left the others
const held = [];

function hold(file) {
  held.push(URL.createObjectURL(file));
  while (held.length > MOST_PLAYERS) URL.revokeObjectURL(held.shift());
  return held.at(-1);
}

// The stored picture of a sound or video, and a player of its file below; or why it cannot be played.
function played(kind, data, snapshot, says, words = null) {
  const player = h(kind, { controls: "", preload: "metadata", "aria-label": named(data), class: "player" }),
    picture = h("img", { src: api.thumbnail(snapshot, data.row), alt: "", class: "still" }),
    give = (why) => player.replaceWith(h("p", { class: "quiet" }, `It cannot be played here: ${why}`));
  player.addEventListener("error", () => player.src && give("this browser does not know how it is coded."));
  api
    .raw(snapshot, data.row)
    .then((file) => (player.src = hold(file)))
    .catch((error) => give(error.message));
  return h("figure", { class: "large" }, picture, h("figcaption", {}, says), player, words);
}

// The caption of a captioned sample; nothing where samples have none.
const wordsOf = (data) =>
  "caption" in data ? h("div", { class: "text" }, data.caption || "no caption") : null;

function largePicture(data, snapshot) {
  const note = h("figcaption", {}),
    pane = new ZoomPane(api.thumbnail(snapshot, data.row), named(data));
  sharpen(pane, data, snapshot, note);
  return h("figure", { class: "large" }, pane.node, note);
}

export const FACES = {
  picture: {
    shape: "tiles",
    small: thumbnail,
    large: largePicture,
    peek: (data, snapshot) => h("img", { src: api.thumbnail(snapshot, data.row), alt: "" }),
    difference: pictureDifference,
  },
  // A captioned picture is the picture, with its words below.
  captioned: {
    shape: "tiles",
    small: thumbnail,
    large(data, snapshot) {
      const figure = largePicture(data, snapshot);
      figure.append(wordsOf(data) ?? "");
      return figure;
    },
    peek: (data, snapshot) =>
      h("div", {}, h("img", { src: api.thumbnail(snapshot, data.row), alt: "" }), h("p", {}, data.caption)),
    difference: pictureDifference,
  },
  // A box is its crop, small; large it is drawn in its picture. Where there are masks, so are their outlines.
  boxes: {
    shape: "tiles",
    small: (data, snapshot) => [thumbnail(data, snapshot), overCrop(data)],
    large(data, snapshot) {
      const note = h("figcaption", {}),
        canvas = h("canvas", { role: "img", "aria-label": named(data), class: "boxes" });
      drawBoxes(canvas, data, snapshot, note);
      return h("figure", { class: "large" }, canvas, note);
    },
    peek: (data, snapshot) => h("img", { src: api.thumbnail(snapshot, data.row), alt: "" }),
    difference: (a, b, snapshot) => pictureDifference(a, b, snapshot, false),
  },
  // A drawing is what there is of it, small and large: a node among those around it.
  drawing: {
    shape: "tiles",
    small: thumbnail,
    large: (data, snapshot) =>
      h(
        "figure",
        { class: "large" },
        h("img", { src: api.thumbnail(snapshot, data.row), alt: named(data), class: "still" }),
        h("figcaption", {}, "In the middle, its neighbours around it, some of theirs outside; a colour a class."),
      ),
    peek: (data, snapshot) => h("img", { src: api.thumbnail(snapshot, data.row), alt: "" }),
    difference: () => null,
  },
  // A sound is its spectrogram, small and large; large it also plays.
  sound: {
    shape: "tiles",
    small: thumbnail,
    large: (data, snapshot) =>
      played("audio", data, snapshot, "Pitch upwards, time to the right; the waveform below.", wordsOf(data)),
    peek: (data, snapshot) =>
      h("div", {}, h("img", { src: api.thumbnail(snapshot, data.row), alt: "" }), h("p", {}, data.caption)),
    difference: () => null,
  },
  // A video is some of its frames, small and large; large it also plays.
  video: {
    shape: "tiles",
    small: thumbnail,
    large: (data, snapshot) => played("video", data, snapshot, "Four frames, evenly spread over the video."),
    peek: (data, snapshot) => h("img", { src: api.thumbnail(snapshot, data.row), alt: "" }),
    difference: (a, b, snapshot) => pictureDifference(a, b, snapshot, false),
  },
  text: {
    shape: "lines",
    small: (data) => h("span", { class: "words" }, data.text || h("em", {}, "no text")),
    large: (data) => h("div", { class: "text" }, data.text ?? "No text is kept for this sample."),
    peek: (data) => h("p", {}, (data.text || "no text").slice(0, 260)),
    async difference(a, b, snapshot) {
      const [left, right] = await Promise.all([a, b].map((data) => wholeText(data, snapshot)));
      const { mine, theirs, says } = compared(left, right);
      return h("figure", { class: "differs" }, marked(mine), marked(theirs), h("figcaption", {}, says));
    },
  },
};

export const faceOf = (meta) => FACES[meta.face] ?? FACES[meta.has_thumbnails ? "picture" : "text"];
