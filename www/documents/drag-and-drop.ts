import { element } from "../ui/dom.js";

/** Calls `onFile` with the first file that is dropped anywhere on the page but on a file field, which takes the file itself. */
export function onFileDropped(onFile: (file: File) => void): void {
  const overlay = element("drop-overlay", HTMLElement);
  let depth = 0;
  const show = (by: number): void => {
    depth = Math.max(0, depth + by);
    overlay.hidden = depth === 0;
  };
  addEventListener("dragenter", (event) => hasFiles(event) && show(1));
  addEventListener("dragleave", (event) => hasFiles(event) && show(-1));
  // By default, the browser would leave the page and open the file.
  addEventListener("dragover", (event) => hasFiles(event) && !isOnField(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    show(-depth);
    if (isOnField(event)) return;
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) onFile(file);
  });
}

function isOnField({ target }: DragEvent): boolean {
  return target instanceof HTMLInputElement && target.type === "file";
}

function hasFiles({ dataTransfer }: DragEvent): boolean {
  return dataTransfer?.types.includes("Files") === true;
}
