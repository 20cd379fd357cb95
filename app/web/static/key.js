// Asks for the service's key, once for all calls that wait for it.

import { dialog, h } from "./dom.js";
import { Field } from "./fields.js";

let asking = null;

export function signedInWithKey() {
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

function ask() {
  return new Promise((resolve) => {
    const field = new Field({
      name: "key",
      label: "Key",
      hint: "What STEPAHEAD_API_KEY was set to. This browser remembers it for 30 days, out of reach of scripts.",
      input: h("input", { type: "password", autocomplete: "current-password", required: true }),
    });
    const form = h("form", {}, field.element, h("button", { class: "primary", type: "submit" }, "Open"));
    const box = dialog({ title: "This service asks for its key", body: form, narrow: true });
    box.addEventListener("cancel", (event) => event.preventDefault());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      field.clear();
      const answer = await fetch("/session", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ key: field.input.value }),
      });
      if (answer.ok) {
        box.close();
        resolve();
        return;
      }
      field.showError((await answer.json()).errors?.[0]?.message ?? "The key was not taken.");
      field.input.focus();
    });
  });
}
