// The list of runs.

import { listRuns, Refusal } from "./api.js";
import { byId, make, name, percent } from "./dom.js";

/** Called once. */
export function prepareRuns() {
  byId("filter").addEventListener("input", applyFilter);
}

/** Called whenever the list is shown. */
export async function openRuns() {
  try {
    const { runs } = await listRuns();
    byId("run-rows").replaceChildren(...runs.map(row));
    applyFilter();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    byId("run-rows").replaceChildren(make("tr", {}, make("td", { colspan: 5 }, error.message)));
  }
}

/** A run's state as a word in a colored frame; never by color alone. */
export function stateBadge(status) {
  return make("span", { class: `state ${status}` }, status);
}

// The roles say what a narrow window's style sheet would take away: it makes blocks of the rows.
function row(run) {
  const interval = run.interval === null ? null : make("span", { class: "note" }, ` ${percent(run.interval[0])} to ${percent(run.interval[1])}`);
  return make("tr", { role: "row" },
    make("th", { role: "rowheader" }, make("a", { href: `#/runs/${encodeURIComponent(run.name)}` }, name(run.name)), run.origin === "package" ? make("span", { class: "note" }, " comes with cifarlab") : null),
    cell("Recipe", run.recipe),
    cell("Data", run.data),
    make("td", { role: "cell", "data-label": "State" }, stateBadge(run.status)),
    make("td", { role: "cell", class: "number", "data-label": "Test accuracy" }, make("span", {}, percent(run.test_accuracy, 2), interval)),
  );
}

function cell(label, value) {
  return make("td", { role: "cell", "data-label": label }, value === null ? "–" : name(value));
}

function applyFilter() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const each of byId("run-rows").children) {
    const text = each.textContent.toLowerCase();
    each.hidden = !words.every((word) => text.includes(word));
    shown += !each.hidden;
  }
  byId("no-runs").hidden = shown > 0;
}
