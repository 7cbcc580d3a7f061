// Learning curves as SVG. A gap in the log stays a gap.

import { drawn, make } from "./dom.js";

const PLOTS = [
  { title: "Accuracy", unit: "%", scale: 100, key: "accuracy" },
  { title: "Loss", unit: "mean per image", scale: 1, key: "loss" },
];
const SETS = [["train", "training"], ["val", "validation"], ["test", "test"]];
const HEIGHT = 260;
const MARGIN = { top: 12, right: 14, bottom: 34, left: 46 };
const FEW_EPOCHS = 30;

/** Draws accuracy and loss into `place`; `other` ({name, rows} or null) is drawn dashed. */
export function drawCurves(place, run, rows, other) {
  const figures = PLOTS.map((plot) => {
    const lines = SETS.flatMap(([set, word]) => {
      const key = `${set}_${plot.key}`;
      return [line(rows, key, plot.scale, set, word, ""), other && line(other.rows, key, plot.scale, set, `${word}, ${other.name}`, "other")];
    }).filter((each) => each && each.points.length);
    return lines.length ? figure(plot, lines, run, place) : null;
  });
  place.replaceChildren(...figures.filter(Boolean));
}

function line(rows, key, scale, set, label, kind) {
  return { set, kind, label, points: rows.filter((row) => key in row).map((row) => [row.epoch, scale * row[key]]) };
}

function figure(plot, lines, run, place) {
  const columns = place.clientWidth > 720 ? 2 : 1;
  const width = Math.max(260, Math.floor((place.clientWidth - 24 * (columns - 1)) / columns));
  const points = lines.flatMap((each) => each.points);
  const x = axis(points.map((point) => point[0]), width - MARGIN.left - MARGIN.right, 1);
  const y = axis(rounded(points.map((point) => point[1])), HEIGHT - MARGIN.top - MARGIN.bottom, 0);
  const at = ([epoch, value]) => [MARGIN.left + x.place(epoch), HEIGHT - MARGIN.bottom - y.place(value)];
  const said = lines.map((each) => `${each.label} ${shortened(each.points.at(-1)[1])} at epoch ${each.points.at(-1)[0]}`);
  const picture = drawn("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `${plot.title} of ${run} by epoch: ${said.join("; ")}` },
    ...y.ticks.map((tick) => gridLine(at([x.low, tick])[1], width, tick)),
    ...x.ticks.map((tick) => epochMark(at([tick, y.low])[0], tick)),
    drawn("text", { class: "axis", x: width - MARGIN.right, y: HEIGHT - 2, "text-anchor": "end" }, "epoch"),
    ...lines.map((each) => drawn("path", { class: `curve ${each.set} ${each.kind}`, d: path(each.points, at) })),
    ...lines.filter((each) => each.points.length <= FEW_EPOCHS).flatMap((each) => each.points.map((point) => dot(at(point), each))),
  );
  const legend = lines.map((each) => make("li", {}, drawn("svg", { width: 26, height: 8, "aria-hidden": "true" }, drawn("path", { class: `curve ${each.set} ${each.kind}`, d: "M1 4H25" })), make("bdi", {}, each.label)));
  return make("figure", {}, make("figcaption", {}, make("b", {}, plot.title), ` (${plot.unit})`), picture, make("ul", { class: "legend" }, ...legend));
}

function gridLine(top, width, tick) {
  return drawn("g", {}, drawn("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: top, y2: top }), drawn("text", { class: "axis", x: MARGIN.left - 8, y: top + 4, "text-anchor": "end" }, shortened(tick)));
}

function epochMark(left, tick) {
  return drawn("text", { class: "axis", x: left, y: HEIGHT - MARGIN.bottom + 17, "text-anchor": "middle" }, shortened(tick));
}

function dot([cx, cy], { set, kind }) {
  return drawn("circle", { class: `dot ${set} ${kind}`, cx, cy, r: 2.6 });
}

function path(points, at) {
  return points.map((point, place) => {
    const connected = place > 0 && point[0] - points[place - 1][0] <= 1;
    return `${connected ? "L" : "M"}${at(point).map((each) => each.toFixed(1)).join(" ")}`;
  }).join("");
}

/** Ends and ticks at round numbers; ticks are at least `least` apart. */
function axis(values, length, least) {
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (high - low < 1e-9) [low, high] = [low - 0.5, high + 0.5];
  const step = Math.max(least, roundStep((high - low) / Math.max(2, Math.floor(length / 55))));
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  const ticks = Array.from({ length: count }, (_, place) => (first + place) * step);
  return { low, ticks, place: (value) => ((value - low) / (high - low)) * length };
}

/** The ends of `values`, moved out to round numbers; 0 is one of them where it is near. */
function rounded(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const step = roundStep((high - low) / 4 || 1);
  return [low >= 0 && low < 0.4 * high ? 0 : Math.floor(low / step) * step, Math.ceil(high / step) * step];
}

function roundStep(step) {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= step - 1e-12);
}

function shortened(value) {
  return String(Number(value.toPrecision(4)));
}
