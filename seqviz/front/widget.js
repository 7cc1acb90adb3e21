// In a notebook: anywidget hands over the kernel's model. plotly.js comes from the kernel, once.

import { render as renderExplorable } from "./explorable.js";

function plotly(model) {
  globalThis.seqvizPlotly ??= new Promise((resolve, reject) => {
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
  return globalThis.seqvizPlotly;
}

async function render({ model, el }) {
  const figure = document.createElement("figure");
  figure.className = "sv-figure";
  el.append(figure);
  const live = {
    get: (key) => (key === "continuous" ? true : model.get(key)),
    set: (key, value) => model.set(key, value),
    save_changes: () => model.save_changes(),
    on: (event, call) => model.on(event, call),
    off: (event, call) => model.off(event, call),
  };
  return renderExplorable({ model: live, el: figure, plotly: await plotly(model) });
}

export default { render };
