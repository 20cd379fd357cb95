// Deletions, each shown as the service counts them before it is confirmed.

import { call, query } from "./api.js";
import { dialog, fill, h, say } from "./dom.js";
import { Field, showProblem } from "./fields.js";
import { plural } from "./format.js";

// Everything logged that matches: model, series, and the time of the request.
export async function erasePredictions({ model, series, from, to }, done) {
  const chosen = { model, series, since: from, until: to };
  const address = (dry) => `/predictions${query({ ...chosen, dry_run: dry })}`;
  const { counts } = await call("DELETE", address(true));
  const told = Object.entries(counts).map(([name, number]) => plural(number, name.replace(/s$/, "").replaceAll("_", " ")));
  const of = [model && `of ${model}`, series && `of the series ${series}`, from && `from ${from}`, to && `before ${to}`].filter(Boolean).join(", ");
  if (!told.length) return say("Nothing matches.");
  confirm({ title: "Delete predictions", text: `${told.join(", ")} ${of}: deleted for good. Daily figures stay.`, act: () => call("DELETE", address(false)), done });
}

// A model with its versions, jobs and actual values; what serves it is removed first.
export function eraseModel(model) {
  const served = Object.keys(model.aliases);
  const name = new Field({ name: "name", label: `Type ${model.name}`, input: h("input", { spellcheck: "false", autocomplete: "off" }) });
  confirm({
    title: `Delete ${model.name}`,
    text: `${plural(model.versions.length, "version")}, their trainings and actual values: deleted for good.${served.length ? " Requests for it are refused from then on." : ""} Its predictions stay in the log.`,
    field: name,
    wanted: model.name,
    act: async () => {
      for (const alias of served) await call("DELETE", `/models/${model.name}/aliases/${alias}`);
      await call("DELETE", `/models/${model.name}`);
    },
    done: () => location.assign("/"),
  });
}

// field: must hold what is wanted, if there is one.
function confirm({ title, text, field = null, wanted = "", act, done }) {
  const trouble = h("div");
  const go = h("button", { type: "submit", class: "danger" }, "Delete");
  const cancel = h("button", { type: "button" }, "Cancel");
  const form = h("form", { novalidate: true }, h("p", {}, text), field?.element, trouble, h("div", { class: "acts" }, go, cancel));
  const box = dialog({ title, body: form, narrow: true });
  cancel.addEventListener("click", () => box.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (field && field.input.value.trim() !== wanted) return field.showError(`must be ${wanted}`);
    go.disabled = true;
    fill(trouble);
    try {
      await act();
      box.close();
      say("Deleted");
      await done();
    } catch (error) {
      showProblem(trouble, error);
    }
    go.disabled = false;
  });
}
