// Which part of the page is shown: #/ (classify), #/runs, #/runs/NAME.

import { openClassify, prepareClassify } from "./classify.js";
import { byId } from "./dom.js";
import { closeRun, openRun } from "./run.js";
import { openRuns, prepareRuns } from "./runs.js";

prepareClassify();
prepareRuns();
window.addEventListener("hashchange", show);
show();

async function show(event) {
  if (location.hash === "#main") return byId("main").focus();
  const { page, run, query } = route(location.hash);
  for (const id of ["classify", "runs", "run"]) byId(id).hidden = id !== page;
  for (const link of document.querySelectorAll("[data-page]")) {
    const here = link.dataset.page === (page === "run" ? "runs" : page);
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  closeRun();
  if (page === "classify") openClassify(query);
  if (page === "runs") openRuns();
  if (page === "run") openRun(run);
  document.title = { classify: "Classify – cifarlab", runs: "Runs – cifarlab", run: `${run} – cifarlab` }[page];
  if (event) byId(`${page}-title`).focus(); // not at the first: the reader has just come
}

function route(hash) {
  const [path, asked] = hash.replace(/^#/, "").split("?", 2);
  const query = new URLSearchParams(asked);
  if (path === "/runs") return { page: "runs", query };
  if (path.startsWith("/runs/")) return { page: "run", run: decoded(path.slice(6)), query };
  return { page: "classify", query };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
