// Asks for the service's key, once for all pending calls.

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
      hint: "The value of STEPAHEAD_API_KEY. This browser remembers it for 30 days, where scripts cannot read it.",
      input: h("input", { type: "password", autocomplete: "current-password", required: true }),
    });
    const form = h("form", {}, field.element, h("button", { class: "primary", type: "submit" }, "Open"));
    const box = dialog({ title: "This service needs a key", body: form, narrow: true });
    const left = new Problem({ status: 401, title: "No key was given", detail: "Nothing can be shown without it. Reload the page to enter it." });
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
        field.showError((await answer.json()).errors?.[0]?.message ?? "The key was not accepted.");
      } catch (error) {
        field.showError(error.message);
      }
      field.input.focus();
    });
  });
}
