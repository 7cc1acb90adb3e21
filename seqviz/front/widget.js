// In a notebook: anywidget hands over the kernel's model. plotly.js comes from the kernel, once.

import { LOST, render as renderExplorable, sliderValue } from "./explorable.js";
import { LiveModel, trainingRow } from "./live.js";

function fetchPlotly(model) {
  return new Promise((resolve, reject) => {
    const lose = () => reject(new Error("The kernel stopped before it could send plotly.js."));
    model.on("comm_live_update", lose);
    model.on("destroy", lose);
    const receive = (message, buffers) => {
      if (message.kind !== "plotly") return;
      model.off("msg:custom", receive);
      const url = URL.createObjectURL(new Blob([buffers[0]], { type: "text/javascript" }));
      // Read as a classic script: plotly then sets globalThis.Plotly, also where require.js is.
      const define = globalThis.define;
      globalThis.define = undefined;
      const script = document.createElement("script");
      script.src = url;
      script.onload = () => { globalThis.define = define; resolve(globalThis.Plotly); };
      script.onerror = () => { globalThis.define = define; reject(new Error("plotly.js could not be read.")); };
      document.head.append(script);
    };
    model.on("msg:custom", receive);
    model.send("plotly");
  });
}

// All figures of the page share one; if the kernel that was asked is gone, another is asked.
async function plotly(model) {
  const asked = globalThis.seqvizPlotly;
  const own = () => {
    const made = fetchPlotly(model);
    made.catch(() => { if (globalThis.seqvizPlotly === made) globalThis.seqvizPlotly = undefined; });
    return (globalThis.seqvizPlotly = made);
  };
  return asked ? asked.catch(() => globalThis.seqvizPlotly ?? own()) : own();
}

async function render({ model, el }) {
  const figure = document.createElement("figure");
  figure.className = "sv-figure";
  el.append(figure);
  const own = {
    continuous: true,
    // A notebook can show a figure more than once, and radio buttons of one name are one group.
    id: `sv-${model.get("spec").name}-${Math.random().toString(36).slice(2)}`,
  };
  const drawn = { el: figure, plotly: await plotly(model) };
  if (model.get("facts")) {
    const state = { ...own, facts: model.get("facts"), templates: model.get("templates") };
    const live = new LiveModel(model.get("spec"), state, new KernelDriver(model, own.id));
    const stop = renderExplorable({ ...drawn, model: live, training: trainingRow(live) });
    return () => {
      stop();
      live.leave();
    };
  }
  const kernel = {
    get: (key) => own[key] ?? model.get(key),
    set: (key, value) => model.set(key, value),
    save_changes: () => model.save_changes(),
    on: (event, call) => model.on(event, call),
    off: (event, call) => model.off(event, call),
  };
  return renderExplorable({ ...drawn, model: kernel });
}

// The kernel takes the steps of a training; each message has one answer.
class KernelDriver {
  constructor(model, view) {
    Object.assign(this, { model, view, number: 0, waiting: new Map() });
    model.on("msg:custom", ({ kind, number, error, ...answer }) => {
      const asked = kind === "answer" && this.waiting.get(number);
      if (!asked) return;
      this.waiting.delete(number);
      if (error) asked.reject(new Error(error));
      else asked.resolve(answer);
    });
    model.on("comm_live_update", () => {
      for (const { reject } of this.waiting.values()) reject(new Error(LOST));
      this.waiting.clear();
    });
  }
  ask(kind, message) {
    return new Promise((resolve, reject) => {
      const number = `${this.view}-${++this.number}`; // two views of one widget hear each other
      this.waiting.set(number, { resolve, reject });
      this.model.send({ kind, number, view: this.view, ...message });
    });
  }
  async facts(positions) { return (await this.ask("facts", { positions })).facts; }
  start(positions) { return this.ask("start", { positions }); }
  run(request) { return this.ask("run", request); }
  rate(positions) {
    const spec = this.model.get("spec");
    const control = spec.controls.find((c) => c.name === "learning_rate");
    return control ? sliderValue(control, positions.learning_rate) : spec.rate;
  }
  failed(error) { return error.message; }
  release() { this.model.send({ kind: "release", view: this.view }); }
}

export default { render };
