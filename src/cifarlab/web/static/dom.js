// Building the page. Text from outside becomes text nodes and attributes, never HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, `on…` listeners, and children (strings become text). */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** A file name or class name: kept apart from the direction in which the text around it is read. */
export function name(text) {
  return make("bdi", {}, String(text));
}

/** Without what is null or undefined. */
export function present(children) {
  return children.filter((child) => child !== null && child !== undefined);
}

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Says something to who cannot see the page change. */
export function announce(text) {
  byId("status").textContent = text;
}

/** 0.1234 as 12.3 %; what is not known is a dash. */
export function percent(share, digits = 1) {
  return share === null || share === undefined ? "–" : `${(100 * share).toFixed(digits)}\u00a0%`;
}

/** 12345 as 12,345; what is not known is a dash. */
export function count(value) {
  return value === null || value === undefined ? "–" : value.toLocaleString("en");
}

/** "1 epoch", "12 epochs". */
export function counted(value, one, many) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

function filled(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...present(children));
  return element;
}
