// One figure with its controls. The same code runs in a notebook, where `model` is the kernel's
// widget, and on a page, where `model` is a stand-in that holds the grid (page.js).

import { draw, onAppearance } from "./figure.js";

const SLOW = 400; // milliseconds after which the reader is told what takes so long
const SWEEP = 4000; // milliseconds a sweep of a whole slider takes
export const LOST = "The kernel has stopped or restarted: run this cell again.";
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in node && key !== "list") node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// The value of a slider at a position; between two grid values only a kernel can answer.
export function sliderValue(spec, position) {
  const low = Math.min(Math.floor(position), spec.values.length - 2);
  const [a, b, part] = [spec.values[low], spec.values[low + 1], position - low];
  if (part === 0 || part === 1) return part ? b : a;
  const between = spec.scale === "log" ? a * (b / a) ** part : a + (b - a) * part;
  return spec.whole ? Math.round(between) : Number(between.toPrecision(4));
}

const plain = (value) =>
  value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)
    ? value.toExponential(1)
    : String(Number(value.toPrecision(4)));

function slider(spec, id, continuous, changed) {
  const output = make("output", { htmlFor: id });
  const input = make("input", {
    type: "range", id, min: 0, max: spec.values.length - 1, step: continuous ? 0.1 : 1,
  });
  const show = () => {
    const value = sliderValue(spec, Number(input.value));
    const text = plain(value) + (spec.unit ? "\u202f" + spec.unit : "");
    output.value = text;
    input.setAttribute("aria-valuetext", text);
  };
  input.addEventListener("input", () => { show(); changed(); });
  const row = make("div", { className: "sv-row" }, input, output);
  const element = make("div", { className: "sv-control sv-slider" },
    make("label", { htmlFor: id, textContent: spec.label }), row);
  return {
    element, row, input,
    get: () => Number(input.value),
    set: (position) => { input.value = position; show(); },
    write: () => plain(sliderValue(spec, Number(input.value))),
    read(text) {
      const value = Number(text);
      if (text.trim() === "" || !Number.isFinite(value)) return null;
      if (value < spec.values[0] || value > spec.values.at(-1)) return null;
      const near = spec.values.map((v) => Math.abs(v - value));
      return near.indexOf(Math.min(...near));
    },
  };
}

function choice(spec, id, changed) {
  const inputs = spec.values.map((label, i) =>
    make("input", { type: "radio", name: id, id: `${id}-${i}`, value: i }));
  const options = inputs.map((input, i) =>
    make("label", { htmlFor: input.id }, input, make("span", { textContent: spec.values[i] })));
  inputs.forEach((input) => input.addEventListener("change", changed));
  const element = make("fieldset", { className: "sv-control sv-choice" },
    make("legend", { textContent: spec.label }), make("div", { className: "sv-row" }, ...options));
  return {
    element,
    get: () => inputs.findIndex((input) => input.checked),
    set: (position) => { inputs[position].checked = true; },
    write: () => spec.values[inputs.findIndex((input) => input.checked)],
    read: (text) => (spec.values.includes(text) ? spec.values.indexOf(text) : null),
  };
}

function toggle(spec, id, changed) {
  const input = make("input", { type: "checkbox", id });
  input.addEventListener("change", changed);
  const element = make("div", { className: "sv-control sv-toggle" },
    make("label", { htmlFor: id }, input, make("span", { textContent: spec.label })));
  return {
    element,
    get: () => Number(input.checked),
    set: (position) => { input.checked = Boolean(position); },
    write: () => spec.values[Number(input.checked)],
    read: (text) => (spec.values.includes(text) ? spec.values.indexOf(text) : null),
  };
}

function text(spec, id, changed) {
  const input = make("input", {
    type: "text", id, maxLength: spec.limit, dir: "auto", spellcheck: false, autocomplete: "off",
  });
  input.addEventListener("input", changed);
  const element = make("div", { className: "sv-control sv-text" },
    make("label", { htmlFor: id, textContent: spec.label }), input);
  return {
    element,
    get: () => input.value,
    set: (position) => { input.value = position; },
    write: () => input.value,
    read: (value) => (value.length <= spec.limit ? value : null),
  };
}

const KINDS = { slider, choice, toggle, text };

// A button that moves a slider through its values; with reduced motion it takes one step a press.
function player(control, spec, changed) {
  const button = make("button", { type: "button", className: "sv-play" });
  let timer = null;
  const label = () => {
    const word = calm() ? "Next" : timer ? "Pause" : "Play";
    button.textContent = word;
    button.setAttribute("aria-label", `${word}: ${spec.label}`);
  };
  const stop = () => { clearInterval(timer); timer = null; label(); };
  const step = () => {
    const next = Math.floor(control.get()) + 1;
    if (next >= spec.values.length) return stop();
    control.set(next);
    changed();
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (control.get() >= spec.values.length - 1) { control.set(0); changed(); }
    if (calm()) return step();
    timer = setInterval(step, Math.max(60, SWEEP / spec.values.length));
    label();
  });
  control.input.addEventListener("input", stop);
  const hidden = () => document.hidden && stop();
  document.addEventListener("visibilitychange", hidden);
  label();
  const remove = () => {
    stop();
    document.removeEventListener("visibilitychange", hidden);
  };
  return { button, stop, remove };
}

// `training` is the row of buttons of a model that trains (live.js).
export function render({ model, el, plotly, training }) {
  const spec = model.get("spec");
  const templates = model.get("templates");
  const address = model.get("address"); // only a page has one: the state lives in its URL
  const controls = new Map();
  const players = [];
  // A page of Jupyter that is loaded again finds the kernel where the last move left it.
  const last = model.get("request")?.positions;
  const begin = (c) => last?.[c.name] ?? c.start;
  const behind = model.get("answer").number !== (model.get("request")?.number ?? 0);
  let number = 0; // of the last request
  let waiting = null; // the request that has no answer yet
  let lost = false; // whether the kernel may be gone
  let figures = model.get("answer").figures;
  let late = null; // the timer that says why an answer takes long

  const panel = make("div", { className: "sv-controls" });
  const plots = [];
  const gallery = make("div", { className: "sv-plots" });
  const readout = make("p", { className: "sv-readout" });
  readout.setAttribute("aria-live", "polite");
  const problem = make("p", { className: "sv-problem", hidden: true });
  problem.setAttribute("role", "alert");
  const tools = make("span", { className: "sv-tools" });

  const positions = () => Object.fromEntries([...controls].map(([name, c]) => [name, c.get()]));
  const complain = (sentence) => {
    problem.textContent = sentence;
    problem.hidden = !sentence;
  };

  function paint(only) {
    while (plots.length < figures.length) {
      plots.push(make("div", { className: "sv-plot", role: "img" }));
      gallery.append(plots.at(-1));
    }
    plots.forEach((plot, i) => { plot.hidden = i >= figures.length; });
    figures.forEach((figure, i) => {
      const { description, label } = figure.layout?.meta ?? {};
      if (only && !only.includes(i)) return;
      plots[i].setAttribute("aria-label", description || label || spec.caption);
      draw(plotly, plots[i], figure, templates);
    });
    say();
  }
  function say() {
    // What changes many times a second is not read aloud before it stops.
    readout.setAttribute("aria-live", model.get("answer").running ? "off" : "polite");
    const said = figures.map((f) => f.layout?.meta?.description ?? "").filter(Boolean).join(" ");
    if (readout.textContent !== said) readout.textContent = said;
  }

  // One request at a time: while the kernel works, only the latest position is remembered.
  function ask() {
    if (lost) complain(LOST);
    if (waiting !== null) return;
    number = (model.get("request")?.number ?? 0) + 1; // two views of one model count together
    waiting = JSON.stringify(positions());
    clearTimeout(late);
    late = model.get("slow") && setTimeout(() => { readout.textContent = model.get("slow"); }, SLOW);
    model.set("request", { number, positions: positions() });
    model.save_changes();
    if (waiting !== null) el.setAttribute("aria-busy", "true"); // not answered at once
  }
  function idle() {
    el.removeAttribute("aria-busy");
    clearTimeout(late);
  }
  function answered() {
    const answer = model.get("answer");
    if (answer.number !== number) return;
    const asked = waiting;
    waiting = null;
    lost = false;
    idle();
    complain(answer.error);
    if (!answer.error || answer.figures.length) {
      figures = answer.figures;
      paint(answer.only);
    } else say();
    if (asked !== null && asked !== JSON.stringify(positions())) ask();
  }
  model.on("change:answer", answered);
  // The model says that its kernel is gone, or is back: an answer tells which.
  function unsure() {
    [waiting, lost] = [null, true];
    idle();
    complain(LOST);
  }
  model.on("comm_live_update", unsure);

  function changed() {
    ask();
    address?.write(spec.name, state());
  }
  // What differs from the start, as the reader would write it.
  function state() {
    return spec.controls
      .filter((c) => controls.get(c.name).get() !== c.start)
      .map((c) => [c.name, controls.get(c.name).write()]);
  }
  function restore() {
    const wanted = address?.read(spec.name) ?? new Map();
    const wrong = [];
    for (const c of spec.controls) {
      const text = wanted.get(c.name);
      const position = text === undefined ? begin(c) : controls.get(c.name).read(text);
      if (position === null) wrong.push(`${c.label} cannot be “${text.slice(0, 40)}”`);
      controls.get(c.name).set(position ?? c.start);
    }
    complain(wrong.length ? `The address asks for something this figure does not have: ${wrong.join("; ")}. It shows the start instead.` : "");
    return wrong.length === 0 && wanted.size > 0;
  }

  for (const c of spec.controls) {
    const id = `${model.get("id") ?? `sv-${spec.name}`}-${c.name}`;
    const control = c.kind === "slider"
      ? slider(c, id, model.get("continuous"), changed)
      : KINDS[c.kind](c, id, changed);
    controls.set(c.name, control);
    if (c.play) {
      const play = player(control, c, changed);
      control.row.prepend(play.button);
      players.push(play);
    }
    panel.append(control.element);
  }
  if (training) panel.append(training);
  if (spec.controls.length) {
    const word = training ? "Restore settings" : "Reset";
    const reset = make("button", { type: "button", className: "sv-reset", textContent: word });
    reset.setAttribute("aria-label", `${word}: ${spec.name}`);
    reset.addEventListener("click", () => {
      players.forEach((p) => p.stop());
      spec.controls.forEach((c) => controls.get(c.name).set(c.start));
      complain("");
      changed();
    });
    tools.append(reset);
  }
  if (address) {
    const link = make("a", { href: `#${spec.name}`, textContent: "Link" });
    link.setAttribute("aria-label", `Link to this figure as it is now: ${spec.name}`);
    link.addEventListener("focus", () => { link.href = address.link(spec.name); });
    link.addEventListener("pointerenter", () => { link.href = address.link(spec.name); });
    link.addEventListener("click", () => { link.href = address.link(spec.name); });
    tools.append(link);
  }
  const caption = make("figcaption", {}, make("span", { textContent: spec.caption }), " ", tools);
  if (panel.childElementCount) el.append(panel);
  el.append(problem, gallery, readout, caption);
  // JupyterLab keeps keys for itself unless the element that has the focus says otherwise.
  for (const part of el.querySelectorAll("input, button")) {
    part.setAttribute("data-lm-suppress-shortcuts", "true");
  }

  const redraw = () => figures.length && paint();
  const stopWatching = onAppearance(gallery, redraw);
  paint();
  if (restore() || behind) ask();
  complain(problem.textContent || model.get("answer").error);
  const stopAddress = address?.listen(() => { restore(); ask(); });

  return () => {
    stopWatching();
    stopAddress?.();
    players.forEach((p) => p.remove());
    model.off?.("change:answer", answered);
    model.off?.("comm_live_update", unsure);
    plots.forEach((plot) => plotly.purge(plot));
  };
}
