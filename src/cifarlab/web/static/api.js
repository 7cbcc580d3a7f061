// The server's JSON API.

/** What the server refused, in its own words. */
export class Refusal extends Error {}

/** All runs, and the one to begin with. */
export const listRuns = (signal) => ask("/api/runs", { signal });

export const readRun = (run, signal) => ask(address(run), { signal });

export const readMetrics = (run, signal) => ask(`${address(run)}/metrics`, { signal });

export const sampleOf = (run, index, signal) => ask(`${address(run)}/sample?index=${index}`, { signal });

export const predict = (run, picture, signal) => send(`${address(run)}/predict`, picture, signal);

/** Grad-CAM and masks; `layer` and `className` may be null for the server's choice. */
export function explain(run, picture, layer, className, signal) {
  const asked = new URLSearchParams();
  if (layer !== null) asked.set("layer", layer);
  if (className !== null) asked.set("class", className);
  return send(`${address(run)}/explain?${asked}`, picture, signal);
}

export const nearest = (run, picture, count, signal) => send(`${address(run)}/nearest?count=${count}`, picture, signal);

/** Where the report of a run is. */
export const reportOf = (run) => `/runs/${encodeURIComponent(run)}/report`;

const address = (run) => `/api/runs/${encodeURIComponent(run)}`;

const send = (path, picture, signal) => ask(path, { method: "POST", body: picture, signal });

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("the server does not answer; is cifarlab serve still running?");
  }
  const value = await answer.json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (!answer.ok || value === null) throw new Refusal(value?.detail ?? `the server answered ${answer.status} in a broken form`);
  return value;
}
