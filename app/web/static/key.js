// Asks for the service's key, once for all calls that wait for it.

import { Problem, reach } from "./api.js";
import { dialog, h } from "./dom.js";
import { Field } from "./fields.js";

let asking = null;

export function signedInWithKey() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  return new Promise((resolve, reject) => {
    const field = new Field({
      name: "key",
      label: "Key",
      hint: "What STEPAHEAD_API_KEY was set to. This browser remembers it for 30 days, out of reach of scripts.",
      input: h("input", { type: "password", autocomplete: "current-password", required: true }),
    });
    const form = h("form", {}, field.element, h("button", { class: "primary", type: "submit" }, "Open"));
    const box = dialog({ title: "This service asks for its key", body: form, narrow: true });
    const left = new Problem({ status: 401, title: "No key was given", detail: "Without it the service shows nothing. Reload the page to be asked again." });
    box.addEventListener("close", () => reject(left));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      field.clear();
      try {
        const answer = await reach("/session", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ key: field.input.value }),
        });
        if (answer.ok) {
          resolve();
          box.close();
          return;
        }
        field.showError((await answer.json()).errors?.[0]?.message ?? "The key was not taken.");
      } catch (error) {
        field.showError(error.message);
      }
      field.input.focus();
    });
  });
}
