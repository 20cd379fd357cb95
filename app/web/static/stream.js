// Server-sent events of a POST, which EventSource cannot make.

import { Problem, send } from "./api.js";

// Calls `heard` with the JSON of each event as it arrives, and returns that of the last one.
export async function stream(path, question, heard, signal) {
  const response = await send("POST", path, { json: { ...question, stream: true }, signal });
  if (!response.ok) throw new Problem(await response.json().catch(() => ({ status: response.status, title: response.statusText })));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    const events = (buffer + value).split("\n\n");
    buffer = events.pop();
    for (const event of events) {
      const name = /^event: (.*)$/m.exec(event)?.[1];
      const data = JSON.parse(/^data: (.*)$/m.exec(event)[1]);
      if (name === "error") throw new Problem(data);
      if (name === "answer") return data;
      heard(data);
    }
  }
  throw new Problem({ status: 0, title: "Interrupted", detail: "The answer ended before it was complete." });
}
