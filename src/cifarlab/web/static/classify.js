// The page on which a picture is classified by one network, or by two side by side.

import { listRuns, readRun, sampleOf } from "./api.js";
import { announce, byId, count, counted, make, name, percent } from "./dom.js";
import { blobOf, canPreview, watchForPictures } from "./picture.js";
import { showResult } from "./result.js";

const SAMPLE_RANGE = 2 ** 31;

let picture = null;
let namesData = new Set(); // the networks whose data sets can be opened
let asking = new AbortController(); // about the picture that is shown
let choosing = new AbortController(); // the next one

/** Called once: listens to everything on the page. */
export function prepareClassify() {
  watchForPictures({ zone: byId("drop"), input: byId("file"), choose, take: usePicture, refuse: showProblem });
  byId("sample").addEventListener("click", useSample);
  for (const id of ["network", "other"]) byId(id).addEventListener("change", () => selectionChanged());
}

/** Called whenever the page is shown: the networks there are now, those of the address chosen. */
export async function openClassify(query) {
  let list;
  try {
    list = await listRuns();
  } catch (error) {
    return showProblem(error.message);
  }
  const usable = list.runs.filter((run) => run.usable);
  namesData = new Set(usable.filter((run) => run.names_data).map((run) => run.name));
  const before = selectedRuns().join("\n");
  const first = query.get("run") ?? (byId("network").value || list.default);
  fillSelect(byId("network"), usable, first, null);
  fillSelect(byId("other"), usable, query.get("with") ?? byId("other").value, "no other");
  offerSamples();
  if (!usable.length) showProblem("No run here has weights yet. Train one: cifarlab train demo");
  else if (selectedRuns().join("\n") !== before) selectionChanged();
}

function fillSelect(select, runs, chosen, none) {
  const options = runs.map((run) => make("option", { value: run.name }, described(run)));
  if (none !== null) options.unshift(make("option", { value: "" }, none));
  select.replaceChildren(...options);
  select.value = chosen ?? "";
  if (select.selectedIndex < 0) select.selectedIndex = 0;
}

function described(run) {
  const accuracy = run.test_accuracy === null ? run.status : `${(100 * run.test_accuracy).toFixed(1)} %`;
  return `${run.name} (${run.origin === "package" ? "comes with cifarlab, " : ""}${accuracy})`;
}

function selectedRuns() {
  return [...new Set([byId("network").value, byId("other").value])].filter(Boolean);
}

/** Test images come from the first network's data set, where its run says which that is. */
function offerSamples() {
  const run = byId("network").value;
  byId("sample").disabled = !namesData.has(run);
  byId("no-sample").hidden = !run || namesData.has(run);
}

function selectionChanged() {
  choose(); // what was still to come was for the other networks
  offerSamples();
  if (picture !== null) classify();
  else introduce(byId("network").value, startOver());
}

/** As long as there is no picture: what the network knows. */
async function introduce(run, signal) {
  const details = await readRun(run, signal).catch(() => null); // without it the place stays empty
  if (details === null) return;
  const accuracy = details.test_accuracy === null ? "" : ` It is right on ${percent(details.test_accuracy)} of its test images (n = ${count(details.test_images)}).`;
  const classes = details.class_names.map((each) => make("li", {}, name(each)));
  byId("introduction").hidden = false;
  byId("introduction").replaceChildren(
    make("h2", {}, name(run)),
    make("p", {}, `This network knows ${counted(classes.length, "class", "classes")}; whatever a picture shows, that is what it chooses from.${accuracy}`),
    make("ul", { class: "classes" }, ...classes),
  );
}

function usePicture(blob, note, truth = null) {
  picture = { blob, truth };
  const preview = byId("preview");
  URL.revokeObjectURL(preview.src);
  preview.src = canPreview(blob) ? URL.createObjectURL(blob) : "";
  preview.hidden = !canPreview(blob);
  preview.classList.toggle("pixels", truth !== null);
  byId("invitation").hidden = canPreview(blob);
  byId("picture-note").textContent = note;
  byId("picture-note").hidden = !note;
  classify();
}

/** Until it comes, the result that is shown stays, and stays in use. */
async function useSample() {
  const signal = choose();
  byId("problem").hidden = true;
  try {
    const sample = await sampleOf(byId("network").value, Math.floor(Math.random() * SAMPLE_RANGE), signal);
    if (signal.aborted) return;
    const note = `Test image ${sample.index}; it is called ${sample.class}.`;
    usePicture(blobOf(sample.picture), note, sample.class);
  } catch (error) {
    if (!signal.aborted) showProblem(error.message);
  }
}

/** Drops the picture that was chosen before and has not come yet; a signal for the one that is chosen now. */
function choose() {
  choosing.abort();
  choosing = new AbortController();
  return choosing.signal;
}

/** Ends what is still being asked for; a signal for what comes now. */
function startOver() {
  asking.abort();
  asking = new AbortController();
  byId("problem").hidden = true;
  return asking.signal;
}

async function classify() {
  const signal = startOver();
  const asked = picture;
  const cards = selectedRuns().map((run) => ({ run, card: make("article", { class: "card result", "aria-busy": "true" }) }));
  const results = byId("results");
  results.classList.toggle("two", cards.length === 2);
  const said = [];
  results.replaceChildren(...cards.map((each) => each.card));
  byId("introduction").hidden = true;
  if (results.getBoundingClientRect().top > 0.8 * window.innerHeight) results.scrollIntoView(); // a narrow window
  try {
    for (const { run, card } of cards) {
      said.push(await showResult(card, run, asked, signal));
      card.removeAttribute("aria-busy");
      announce(said.join(". "));
    }
  } catch (error) {
    if (signal.aborted) return; // another picture has come
    for (const { card } of cards.filter((each) => each.card.hasAttribute("aria-busy"))) card.remove();
    showProblem(error.message);
  }
}

function showProblem(text) {
  const problem = byId("problem");
  problem.hidden = false;
  problem.textContent = text.charAt(0).toUpperCase() + text.slice(1);
}
