// Builds elements from data. Text stays text, so nothing in a file or a model becomes markup.

export function h(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && typeof value !== "string") element[name] = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  put(element, ...children);
  return element;
}

export function put(element, ...children) {
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren();
  return put(element, ...children);
}

// A sentence of the service, in which names stand between backticks.
export const withCode = (text) => text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));

let number = 0;
export const newId = (prefix) => `${prefix}-${++number}`;

// Announces something to screen readers.
let live = null;
export function say(text) {
  if (live === null) {
    live = h("p", { class: "sr", role: "status", "aria-live": "polite" });
    document.body.append(live);
  }
  live.textContent = text;
}

// head: names or {label, class}; rows: lists of cells, of which the first is the row's header. On narrow
// screens rows are stacked: a cell per line with its label, or compact, one after the other.
export function table({ caption, head, rows, stacked = false, compact = false, scroll = false }) {
  const heads = head.map((cell) => (typeof cell === "string" ? { label: cell } : cell));
  const body = rows.map((row) => {
    const { cells, self } = Array.isArray(row) ? { cells: row } : row;
    return h(
      "tr",
      { class: self && "self" },
      cells.map((cell, index) =>
        index === 0
          ? h("th", { scope: "row" }, cell)
          : h("td", { class: heads[index].class, "data-label": heads[index].label }, cell),
      ),
    );
  });
  return h(
    "div",
    { class: scroll ? "table scroll" : "table", tabindex: "0", role: "region", "aria-label": caption },
    h(
      "table",
      { class: `${stacked ? "stack" : ""}${compact ? " compact" : ""}` },
      h("caption", { class: "sr" }, caption),
      h("thead", {}, h("tr", {}, heads.map((each) => h("th", { scope: "col", class: each.class }, each.label)))),
      h("tbody", {}, body),
    ),
  );
}

export function facts(pairs, name = "facts") {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (name === "facts") {
    return h("dl", { class: name }, shown.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));
  }
  return h("dl", { class: name }, shown.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
}

export function dialog({ title, body, narrow = false }) {
  const heading = h("h2", { id: newId("dialog") }, title);
  const element = h("dialog", { class: narrow ? "narrow" : "", "aria-labelledby": heading.id }, heading, body);
  element.addEventListener("close", () => element.remove());
  document.body.append(element);
  element.showModal();
  return element;
}
