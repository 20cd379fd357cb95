// What happened to a job, line by line, oldest first.

import { get, query } from "./api.js";
import { fill, h, put } from "./dom.js";
import { failed } from "./fields.js";

const AT_ONCE = 200;
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

export class JobLog {
  constructor(id) {
    this.id = id;
    this.lines = [];
    this.list = h("ol", { class: "lines" });
    this.element = h("div", { tabindex: "0", role: "region", "aria-label": "Log of the job", class: "scroll" }, this.list);
  }

  // From the beginning, page by page: new lines come at the end.
  async load() {
    const lines = [];
    let cursor = null;
    do {
      const page = await get(`/jobs/${this.id}/log${query({ limit: AT_ONCE, cursor })}`);
      lines.push(...page.items);
      cursor = page.next;
    } while (cursor);
    if (lines.length === this.lines.length && lines.length) return;
    this.lines = lines;
    fill(this.list, lines.length ? withDays(lines) : h("li", { class: "quiet" }, "Nothing was noted of this job."));
  }

  show() {
    this.load().catch((error) => failed(this.element, error));
  }
}

// The day stands where it begins.
function withDays(lines) {
  let day = null;
  return lines.flatMap((each) => {
    const own = DAY.format(new Date(each.at));
    const begins = own !== day;
    day = own;
    return begins ? [h("li", { class: "quiet" }, own), line(each)] : [line(each)];
  });
}

function line({ at, text }) {
  const bad = text.startsWith("failed") || text.startsWith("its ");
  return h("li", { class: bad && "bad" }, put(h("time", { datetime: at }), CLOCK.format(new Date(at))), " ", text);
}
