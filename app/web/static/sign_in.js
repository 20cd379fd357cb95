// Asks for a key, then shows the page that was opened without one.

import { signedInWithKey } from "./key.js";

const button = document.getElementById("sign-in");

async function signIn() {
  try {
    await signedInWithKey();
    location.reload();
  } catch {
    button.focus(); // the dialog was closed without a key
  }
}

button.addEventListener("click", signIn);
await signIn();
