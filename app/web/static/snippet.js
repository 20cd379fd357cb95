// The last call of a page, as curl and as Python, to copy.

import { get } from "./api.js";
import { h, say } from "./dom.js";

export async function snippets(path, body) {
  const { key_required: keyed } = await get("/session");
  return h("div", { class: "acts" }, copyButton("Copy as curl", curl(path, body, keyed)), copyButton("Copy as Python", python(path, body, keyed)));
}

export function curl(path, body, keyed) {
  const quoted = JSON.stringify(body).replaceAll("'", "'\\''");
  const key = keyed ? ' \\\n  -H "authorization: Bearer $STEPAHEAD_API_KEY"' : "";
  return `curl -s ${location.origin}${path} \\\n  -H 'content-type: application/json'${key} \\\n  -d '${quoted}'\n`;
}

export function python(path, body, keyed) {
  const headers = keyed
    ? '{\n    "content-type": "application/json",\n    "authorization": f"Bearer {os.environ[\'STEPAHEAD_API_KEY\']}",\n}'
    : '{"content-type": "application/json"}';
  return `import json
${keyed ? "import os\n" : ""}from urllib.request import Request, urlopen

question = ${literal(body)}
headers = ${headers}
request = Request("${location.origin}${path}", json.dumps(question).encode(), headers)
with urlopen(request) as response:
    print(json.load(response))
`;
}

export function literal(value) {
  if (value === null) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([key, each]) => `${JSON.stringify(key)}: ${literal(each)}`).join(", ")}}`;
  return JSON.stringify(value);
}

function copyButton(label, text) {
  const button = h("button", { type: "button", class: "tight", "data-text": text }, label);
  button.addEventListener("click", async () => {
    await copy(text);
    button.textContent = "Copied";
    say(`${label}: copied`);
    setTimeout(() => (button.textContent = label), 1600);
  });
  return button;
}

async function copy(text) {
  // Without TLS, beyond loopback, browsers have no clipboard API, but this still works.
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "sr", value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
