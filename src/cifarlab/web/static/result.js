// What one network says of a picture: probabilities, where it looks, and what it was reminded of.

import { explain, nearest, predict, readRun, Refusal } from "./api.js";
import { announce, count, make, name, percent, present } from "./dom.js";

const SHOWN_CLASSES = 10;
const NEIGHBORS = 8;

let wantsNeighbors = false; // once asked for, they come with every picture

/** Fills `card` and returns the result in words. Raises a Refusal if there is none. */
export async function showResult(card, run, picture, signal) {
  const [details, answer] = await Promise.all([readRun(run, signal), predict(run, picture.blob, signal)]);
  const share = answer.probabilities[answer.class];
  card.append(...present([
    make("p", { class: "kicker" }, name(run), details.test_accuracy === null ? "" : `, ${percent(details.test_accuracy)} on its test set`),
    make("h2", { class: "said" }, name(answer.class), " ", make("span", {}, percent(share))),
    verdict(answer.class, picture.truth, details.class_names),
    bars(answer.probabilities),
  ]));
  const evidence = make("div", { class: "evidence" });
  card.append(evidence);
  showEvidence(evidence, { run, picture, answer, details, signal });
  if (details.names_data) card.append(neighbors(run, picture, signal));
  return `${run}: ${answer.class}, ${percent(share)}`;
}

/** Where the truth is known: whether the network has it right. One that knows no such class cannot. */
function verdict(said, truth, known) {
  if (truth === null) return null;
  if (!known.includes(truth)) return make("p", { class: "note" }, "It is ", name(truth), ", a class that this network does not know.");
  return said === truth ? make("p", { class: "verdict right" }, "Right") : make("p", { class: "verdict wrong" }, "Wrong: it is ", name(truth));
}

function bars(probabilities) {
  const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  const rows = ranked.slice(0, SHOWN_CLASSES).map(([label, share]) => {
    const bar = make("span", { class: "bar", "aria-hidden": "true" }, make("i"));
    bar.firstChild.style.width = `${100 * share}%`;
    return make("li", {}, make("span", { class: "label" }, name(label)), bar, make("span", { class: "share" }, percent(share)));
  });
  const rest = ranked.length - rows.length;
  const list = make("ol", { class: "bars", "aria-label": "Probabilities" }, ...rows);
  return rest > 0 ? make("div", {}, list, make("p", { class: "note" }, rest === 1 ? "1 other class has less." : `${rest} other classes have less.`)) : list;
}

async function showEvidence(place, asked) {
  try {
    const first = await explain(asked.run, asked.picture.blob, null, null, asked.signal);
    if (first.grad_cam) place.append(...gradCam(first, asked));
    if (first.masks.length) place.append(...masks(first.masks));
  } catch (error) {
    if (error instanceof Refusal) place.append(make("p", { class: "note" }, `No explanation: ${error.message}`));
  }
}

function gradCam(first, { run, picture, answer, details, signal }) {
  const layer = select(first.layers, first.grad_cam.name);
  const className = select(details.class_names, first.class);
  const overlay = make("img", { class: "map", src: first.grad_cam.overlay, width: 256, height: 256, alt: "" });
  const describe = () => (overlay.alt = `Evidence for ${className.value} in layer ${layer.value}`);
  describe();
  let changes = 0;
  const change = async () => {
    const change = ++changes; // an answer that comes after the next choice would stand under its label
    try {
      const next = await explain(run, picture.blob, layer.value, className.value, signal);
      if (change !== changes) return;
      overlay.src = next.grad_cam.overlay;
      describe();
      announce(`${overlay.alt} is shown`);
    } catch (error) {
      if (error instanceof Refusal && change === changes) announce(error.message);
    }
  };
  layer.addEventListener("change", change);
  className.addEventListener("change", change);
  return [
    make("h3", {}, "Where it looks"),
    make("div", { class: "pair" },
      make("figure", {}, make("img", { class: "map pixels", src: answer.picture, width: 256, height: 256, alt: "The picture as the network gets it" }), make("figcaption", {}, "What it gets")),
      make("figure", {}, overlay, make("figcaption", { class: "scale" }, make("span", {}, "none"), make("i", { "aria-hidden": "true" }), make("span", {}, "most"))),
    ),
    make("div", { class: "fields" }, labeled("Evidence for", className), labeled("In layer", layer)),
  ];
}

function masks(found) {
  const figures = found.map((each) =>
    make("figure", {}, make("img", { class: "map", src: each.overlay, width: 256, height: 256, alt: `Attention mask of ${each.name}` }), make("figcaption", {}, each.name)),
  );
  return [make("h3", {}, "What its attention lets through"), make("div", { class: "gallery masks" }, ...figures)];
}

function neighbors(run, picture, signal) {
  const place = make("div", { class: "neighbors" });
  const show = async () => {
    wantsNeighbors = true;
    place.replaceChildren(make("p", { class: "note" }, "Looking through the training images; the first time this takes a while …"));
    try {
      const found = await nearest(run, picture.blob, NEIGHBORS, signal);
      const items = found.neighbors.map((each) =>
        make("li", {}, make("img", { class: "pixels", src: each.picture, width: 96, height: 96, alt: `Training image ${each.index}` }), name(each.class), make("span", { class: "note" }, each.similarity.toFixed(2))),
      );
      const among = found.searched < found.training_images ? `${count(found.searched)} of ${count(found.training_images)}` : `all ${count(found.searched)}`;
      place.replaceChildren(make("h3", {}, "Most similar training images"), make("ol", { class: "gallery" }, ...items), make("p", { class: "note" }, `The numbers are similarities as the network sees them, at most 1; it looked through ${among}.`));
    } catch (error) {
      if (error instanceof Refusal) place.replaceChildren(make("p", { class: "note" }, `No similar images: ${error.message}`), button);
    }
  };
  const button = make("button", { class: "button", type: "button", onclick: show }, "Show similar training images");
  place.append(button);
  if (wantsNeighbors) show();
  return place;
}

function select(values, chosen) {
  const made = make("select", {}, ...values.map((each) => make("option", { value: each }, each)));
  made.value = chosen;
  return made;
}

function labeled(text, field) {
  return make("label", { class: "labeled" }, make("span", {}, text), field);
}
