// The log of a job, oldest line first.

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

  // From the beginning, page by page, because new lines come last.
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
    fill(this.list, lines.length ? withDays(lines) : h("li", { class: "quiet" }, "This job has no log."));
  }

  show() {
    this.load().catch((error) => failed(this.element, error));
  }
}

// The date is shown where a day begins.
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
