// What every page has: a way to make this browser forget the key, where there is one.

import { h } from "./dom.js";

// Where the service cannot be reached the page says so.
const session = await fetch("/session").then((answer) => answer.json()).catch(() => null);

if (session?.key_required && session.signed_in) {
  const forget = h("button", { type: "button", class: "plain" }, "Forget the key in this browser");
  forget.addEventListener("click", async () => {
    await fetch("/session", { method: "DELETE" });
    location.assign("/");
  });
  document.getElementById("session").append(forget);
}
