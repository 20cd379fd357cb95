// Try a model: paste numbers or type a text, see the answer, copy the call.

import { all, findAllowed, get } from "./api.js";
import { fill, h } from "./dom.js";
import { Field, failed, select } from "./fields.js";
import { signed } from "./format.js";
import { SeriesTrial } from "./try_series.js";
import { TextTrial } from "./try_text.js";

const UNIVERSAL = "universal";
const place = document.getElementById("try");

async function start() {
  const items = await all("/models");
  place.removeAttribute("aria-busy");
  if (!items.length) return fill(place, h("p", {}, "No models yet. ", h("a", { href: "/ui/train" }, "Train the first.")));
  const asked = new URLSearchParams(location.search).get("model");
  const served = items.filter((model) => model.champion).sort((a, b) => (b.name === UNIVERSAL) - (a.name === UNIVERSAL));
  const options = served.map((model) => [model.name, model.name === UNIVERSAL ? "any series, without training (universal)" : `${model.name} (${model.kind}${model.champion.skill === null ? "" : `, skill ${signed(model.champion.skill)}`})`]);
  if (asked && !options.some(([name]) => name === asked)) options.unshift([asked, asked]);
  const choice = new Field({ name: "model", label: "Model", input: select(options, asked ?? served[0]?.name) });
  const trial = h("div");
  // With the arrow keys models are chosen faster than they load.
  const show = async () => {
    const reference = choice.input.value;
    const late = () => reference !== choice.input.value;
    try {
      const { element } = await trialOf(reference, items);
      if (!late()) fill(trial, element);
    } catch (error) {
      if (!late()) failed(trial, error);
    }
  };
  choice.input.addEventListener("change", () => {
    history.replaceState(null, "", `/ui/try?model=${encodeURIComponent(choice.input.value)}`);
    show();
  });
  fill(place, h("div", { class: "pick" }, choice.element), trial);
  await show();
}

async function trialOf(reference, models) {
  const [name, which] = reference.split("@");
  const model = models.find((each) => each.name === name) ?? (await get(`/models/${name}`));
  const number = which === undefined ? model.champion?.version : /^\d+$/.test(which) ? Number(which) : model.aliases[which];
  if (!number) throw Object.assign(new Error(`${name} has no version or alias ${which ?? "champion"}.`), { title: "Not found" });
  const version = await get(`/models/${name}/versions/${number}`);
  const last = await findAllowed(`/predictions?model=${name}&version=${number}&limit=1`);
  const Trial = version.kind === "series" ? SeriesTrial : TextTrial;
  return new Trial(version, reference, last?.items[0]?.request);
}

start().catch((error) => failed(place, error));
