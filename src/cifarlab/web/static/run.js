// One run: its facts, its learning curves (live while it trains), its report.

import { listRuns, readMetrics, readRun, reportOf } from "./api.js";
import { drawCurves } from "./curves.js";
import { byId, count, counted, make, name, percent } from "./dom.js";
import { stateBadge } from "./runs.js";

const POLL_MS = 2000;

let open = new AbortController();

/** Shows a run until `closeRun`. */
export async function openRun(run) {
  closeRun();
  open = new AbortController();
  const signal = open.signal;
  byId("run-title").replaceChildren(name(run));
  byId("run-body").replaceChildren(make("p", { class: "note" }, "…"));
  try {
    const [details, list] = await Promise.all([readRun(run, signal), listRuns(signal)]);
    const curves = curvesCard(details, list.runs.filter((each) => each.name !== run), signal);
    byId("run-body").replaceChildren(facts(details), curves, ...report(details));
  } catch (error) {
    if (!signal.aborted) byId("run-body").replaceChildren(make("p", { class: "problem", role: "alert" }, error.message));
  }
}

/** Stops asking for news. */
export function closeRun() {
  open.abort();
}

function facts(details) {
  const rows = [
    ["State", stateBadge(details.status), details.status === "damaged" && "or of another version of cifarlab"],
    ["Test accuracy", make("b", {}, percent(details.test_accuracy, 2)), details.interval && `95 % interval ${percent(details.interval[0])} to ${percent(details.interval[1])}, n = ${count(details.test_images)}`],
    ["Recipe", details.recipe && name(details.recipe), details.epochs && `${counted(details.epochs, "epoch", "epochs")}, seed ${details.seed}`],
    ["Network", details.network, details.image_size && `${details.image_size} × ${details.image_size} pixels`],
    ["Data", details.data && name(details.data), details.class_names.length ? counted(details.class_names.length, "class", "classes") : null],
  ];
  const list = rows.map(([term, value, note]) => make("div", {}, make("dt", {}, term), make("dd", {}, value || "–", note ? make("small", {}, note) : null)));
  const actions = details.usable ? make("p", { class: "buttons" }, make("a", { class: "button main", href: `#/?run=${encodeURIComponent(details.name)}` }, "Classify with it")) : null;
  return make("div", { class: "card" }, make("dl", { class: "facts" }, ...list), actions);
}

function curvesCard(details, others, signal) {
  const place = make("div", { class: "plots" });
  const live = make("p", { class: "note live", role: "status" });
  const beside = make("p", { class: "note", role: "status" });
  const choice = make("select", { id: "curves-other" }, make("option", { value: "" }, "no other"), ...others.map((each) => make("option", { value: each.name }, each.name)));
  const shown = { rows: [], other: null };
  const draw = () => drawCurves(place, details.name, shown.rows, shown.other);
  choice.addEventListener("change", async () => {
    const chosen = choice.value;
    const answer = chosen ? await readMetrics(chosen, signal).catch((error) => error) : null;
    if (signal.aborted || choice.value !== chosen) return;
    const failed = answer instanceof Error;
    shown.other = answer === null || failed ? null : { name: chosen, rows: answer.epochs };
    beside.textContent = failed ? `${chosen}: ${answer.message}` : (answer?.notes ?? []).map((note) => `${chosen}: ${note}`).join(" ");
    draw();
  });
  const resized = new ResizeObserver(() => shown.rows.length && draw());
  resized.observe(place);
  signal.addEventListener("abort", () => resized.disconnect());
  follow(details, shown, draw, live, signal);
  return make("div", { class: "card" },
    make("div", { class: "heading" }, make("h2", {}, "Learning curves"), others.length ? make("label", { class: "labeled" }, make("span", {}, "Beside"), choice) : null),
    live, beside, place);
}

/** Asks for the log again and again, until the run has ended or the page is left; a refusal ends nothing. */
async function follow(details, shown, draw, live, signal) {
  for (; !signal.aborted; await pause(POLL_MS, signal)) {
    if (document.hidden) continue;
    try {
      const log = await readMetrics(details.name, signal);
      if (log.status !== details.status) return openRun(details.name); // it has ended: result and report are there
      if (JSON.stringify(log.epochs) !== JSON.stringify(shown.rows)) {
        shown.rows = log.epochs; // whole: it may have been trained anew in the same folder
        draw();
      }
      say(live, [progress(details, shown.rows), ...log.notes].join(" ").trim());
      if (log.status !== "unfinished") return;
    } catch (error) {
      if (!signal.aborted) say(live, error.message);
    }
  }
}

function progress(details, rows) {
  if (details.status !== "unfinished") return "";
  if (!rows.length) return "No epoch has been logged yet.";
  return `Epoch ${rows.at(-1).epoch} of ${details.epochs}; new epochs appear here by themselves.`;
}

/** Only what is new: a screen reader reads every change. */
function say(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Ends early when `signal` is aborted. */
function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

function report(details) {
  if (!details.has_report) return [];
  const source = reportOf(details.name);
  // sandbox: a report comes from a run folder, whoever wrote it.
  const frame = make("iframe", { class: "report", sandbox: "", loading: "lazy", title: `Report of ${details.name}`, src: source });
  const link = make("a", { href: source, target: "_blank", rel: "noopener" }, "Open it in a tab of its own");
  return [make("div", { class: "card" }, make("div", { class: "heading" }, make("h2", {}, "Report"), link), frame)];
}
