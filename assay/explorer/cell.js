// The explorer in a notebook's cell: a frame that holds the page. Its questions go to the kernel and the answers back;
// the page is let do nothing else, and the notebook's own page is out of its reach.
const ALLOWED = "allow-scripts allow-downloads";

function render({ model, el }) {
  const frame = document.createElement("iframe"),
    me = `${Date.now()}-${Math.random()}`; // of several views of one widget
  frame.setAttribute("sandbox", ALLOWED);
  frame.title = "assay explorer";
  const fit = () => (frame.style.cssText = `width:100%;height:${model.get("height")}px;border:0;display:block`);
  fit();

  const tell = (data, parts = []) => frame.contentWindow?.postMessage(data, "*", parts);
  const asked = ({ source, data }) => {
    if (source !== frame.contentWindow) return;
    if (data.view) {
      for (const [name, value] of Object.entries(data.view)) model.set(name, value);
      return model.save_changes();
    }
    const { body, ...question } = data;
    model.send({ ...question, to: me }, undefined, body ? [body] : []);
  };
  const answered = ({ to, page, ...answer }, buffers) => {
    if (to !== me) return;
    if (page) return (frame.srcdoc = page);
    const [part = new ArrayBuffer(0)] = buffers, // perhaps a view of some of the bytes that came
      { buffer = part, byteOffset = 0, byteLength } = part,
      body = buffer.slice(byteOffset, byteOffset + byteLength);
    tell({ ...answer, body }, [body]);
  };
  const filtered = () => tell({ filter: model.get("filter") });
  addEventListener("message", asked);
  model.on("msg:custom", answered);
  model.on("change:height", fit);
  model.on("change:filter", filtered);
  frame.addEventListener("load", filtered);
  el.append(frame);
  model.send({ path: "page", to: me });
  return () => {
    removeEventListener("message", asked);
    model.off("msg:custom", answered);
    model.off("change:height", fit);
    model.off("change:filter", filtered);
  };
}

export default { render };
