// Getting a picture: dropped, pasted or chosen.

const LARGEST_BYTES = 2_000_000;
const SHRUNK_SIDE = 1280;
const KINDS = ["image/png", "image/jpeg", "image/webp", "image/bmp"];

/**
 * Calls `take(blob, note)` with every picture that is dropped on the page, pasted, or chosen in `input`, and
 * `refuse(text)` where there was none. `choose()` is called first; the signal that it returns is aborted by a
 * later choice, and the earlier one is dropped then. `zone` is marked while something is dragged over the page.
 */
export function watchForPictures({ zone, input, choose, take, refuse }) {
  const accept = async (file) => {
    if (!file) return refuse("That was no picture file. Save the picture first, then drop or choose the file.");
    const signal = choose();
    const given = await withinLimit(file).catch(() => null);
    if (signal.aborted) return;
    if (given === null) return refuse("This file is larger than 2 MB and cannot be read as a picture.");
    take(...given);
  };
  let depth = 0; // of dragenter and dragleave, which come for every element on the way
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    zone.classList.toggle("over", depth > 0);
  };
  document.addEventListener("dragenter", () => mark(1));
  document.addEventListener("dragleave", () => mark(-1));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-depth);
    accept(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files];
    const typing = event.target.closest?.("input, textarea");
    if (files.length || !typing) accept(files[0]);
  });
  input.addEventListener("change", () => {
    if (input.files.length) accept(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
}

/** A `data:image/png` URL as a file. */
export function blobOf(dataUrl) {
  const text = atob(dataUrl.slice(dataUrl.indexOf(",") + 1));
  return new Blob([Uint8Array.from(text, (letter) => letter.charCodeAt(0))], { type: "image/png" });
}

/** The file itself, or a smaller copy of a photograph that the server would not take; and a note on that. */
async function withinLimit(file) {
  if (file.size <= LARGEST_BYTES) return [file, ""];
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, SHRUNK_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = new OffscreenCanvas(Math.ceil(bitmap.width * scale), Math.ceil(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const smaller = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 });
  const megabytes = (file.size / 1e6).toFixed(1);
  return [smaller, `The file has ${megabytes} MB; a copy of ${canvas.width} × ${canvas.height} pixels was sent.`];
}

/** Whether the browser can show what was given as a preview. */
export const canPreview = (blob) => KINDS.includes(blob.type);
