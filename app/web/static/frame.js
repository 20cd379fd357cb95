// On every page: a button to sign out, if there is a session.

import { h } from "./dom.js";

// If the service cannot be reached, the page itself says so.
const session = await fetch("/session").then((answer) => answer.json()).catch(() => null);

if (session?.key_required && session.signed_in) {
  const forget = h("button", { type: "button", class: "plain" }, "Forget the key in this browser");
  forget.addEventListener("click", async () => {
    await fetch("/session", { method: "DELETE" });
    location.assign("/");
  });
  document.getElementById("session").append(forget);
}
