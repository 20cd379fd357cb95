// Tabs, by mouse and arrow keys; the address keeps the open one.

import { fill, h } from "./dom.js";

// tabs: [key, label, build]; a panel is built when it is first opened, because charts need a width.
export function tabList(label, tabs) {
  const body = h("div", { role: "tabpanel", id: "panel", tabindex: "0" });
  const built = new Map();
  const buttons = tabs.map(([key, name]) => h("button", { type: "button", role: "tab", id: `tab-${key}`, "aria-controls": "panel" }, name));
  const open = (index, focus = false) => {
    const [key, , build] = tabs[index];
    for (const [at, button] of buttons.entries()) {
      button.setAttribute("aria-selected", String(at === index));
      button.tabIndex = at === index ? 0 : -1;
    }
    if (!built.has(key)) built.set(key, h("div", {}));
    const panel = built.get(key);
    const first = !panel.children.length;
    fill(body, panel);
    if (first) fill(panel, build());
    body.setAttribute("aria-labelledby", buttons[index].id);
    if (focus) buttons[index].focus();
  };
  const choose = (index, focus) => {
    history.replaceState(null, "", `#${tabs[index][0]}`);
    open(index, focus);
  };
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": label }, buttons);
  for (const [index, button] of buttons.entries()) button.addEventListener("click", () => choose(index));
  list.addEventListener("keydown", (event) => {
    const now = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (now === -1 || to === undefined) return;
    event.preventDefault();
    choose((to + buttons.length) % buttons.length, true);
  });
  const asked = () => Math.max(0, tabs.findIndex(([key]) => `#${key}` === location.hash));
  window.addEventListener("hashchange", () => list.isConnected && open(asked()));
  return { element: h("div", {}, list, body), start: () => open(asked()) };
}
