// An area to drop a file on, or to choose one with the keyboard.

import { h, newId } from "./dom.js";

export function dropZone({ title, hint, onfile }) {
  const input = h("input", { type: "file", id: newId("file") });
  const zone = h("label", { class: "drop", for: input.id }, input, h("strong", {}, title), h("span", { class: "hint" }, hint));
  input.addEventListener("change", () => {
    if (input.files.length) onfile(input.files[0]);
    input.value = "";
  });
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) zone.addEventListener(name, () => zone.classList.remove("over"));
  // A file dropped beside it would replace the page.
  for (const name of ["dragover", "drop"]) {
    window.addEventListener(name, (event) => {
      if (event.dataTransfer.types.includes("Files") && event.target.type !== "file") event.preventDefault();
    });
  }
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) onfile(event.dataTransfer.files[0]);
  });
  return zone;
}
