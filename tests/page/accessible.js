// What anybody needs of a page: names, one heading of the first order, tabs in their lists, contrast of small text.
() => {
  const seen = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const name = (node) =>
    (node.getAttribute("aria-label") || node.innerText || node.title || node.placeholder || "").trim();
  const problems = [];
  for (const node of document.querySelectorAll("button, a[href], input, select, [role=tab]")) {
    const labelled = node.labels?.length || node.getAttribute("aria-labelledby");
    if (seen(node) && !name(node) && !labelled) problems.push(`no name: ${node.outerHTML.slice(0, 120)}`);
  }
  const heads = [...document.querySelectorAll("h1")].filter(seen).length;
  if (heads !== 1) problems.push(`${heads} h1`);
  for (const list of document.querySelectorAll("[role=tablist]"))
    for (const child of list.children)
      if (child.getAttribute("role") !== "tab")
        problems.push(`in a tablist: ${child.outerHTML.slice(0, 80)}`);
  for (const image of document.querySelectorAll("img:not([alt])"))
    problems.push(`no alt: ${image.outerHTML.slice(0, 80)}`);
  const rgb = (text) => text.match(/[\d.]+/g)?.map(Number) ?? [0, 0, 0, 0];
  const light = ([r, g, b]) => {
    const part = (v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (
        getComputedStyle(at).backgroundImage !== "none" ||
        (color.length === 4 && color[3] > 0 && color[3] < 1)
      )
        return null;
      if (!getComputedStyle(at).backgroundColor.startsWith("rgb")) return null;
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement,
      text = walker.currentNode.data.trim();
    if (
      !text ||
      !seen(node) ||
      node.closest(":disabled, .unseen, .skip, noscript, script, style, option, .away, .decided")
    )
      continue;
    const style = getComputedStyle(node),
      behind = ground(node);
    if (!behind || !style.color.startsWith("rgb(")) continue;
    const [high, low] = [light(rgb(style.color)), light(behind)].sort((a, b) => b - a),
      ratio = (high + 0.05) / (low + 0.05);
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5))
      problems.push(`contrast ${ratio.toFixed(2)}: ${text.slice(0, 40)} in ${node.className}`);
  }
  return problems;
};
