// On a built page: every figure is drawn when the reader comes near, from the grid beside it.

import { pageAddress } from "./address.js";
import { render } from "./explorable.js";
import { openGrid } from "./grid.js";
import { LiveModel, trainingRow } from "./live.js";
import { PageDriver } from "./driver.js";
import { pageFunctions } from "./functions.js";
import { TextEngine, typedFigure } from "./typed.js";

const here = document.currentScript.src;
const NEAR = "900px"; // how far below the window a figure starts to load

const scripts = new Map();
function load(name) {
  if (!scripts.has(name)) {
    scripts.set(name, new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = new URL(name, here);
      script.onload = resolve;
      script.onerror = () => {
        scripts.delete(name); // another try may find it
        reject(new Error(`${name} could not be read.`));
      };
      document.head.append(script);
    }));
  }
  return scripts.get(name);
}

// Large grids are script files, since fetch is forbidden on file://; each calls this.
const grids = new Map();
globalThis.seqvizGrid = (key, packed) => grids.set(key, packed);

// `evaluate` gives the figures at positions of the controls, or a promise of them.
class PageModel {
  constructor(spec, evaluate, address) {
    const start = Object.fromEntries(spec.controls.map((c) => [c.name, c.start]));
    this.state = {
      spec, address, templates: globalThis.seqvizTemplates, continuous: false,
      answer: { number: 0, figures: evaluate(start), error: "" },
    };
    this.evaluate = evaluate;
    this.listeners = [];
  }
  get(key) { return this.state[key]; }
  set(key, value) { this.state[key] = value; }
  on(event, call) { if (event === "change:answer") this.listeners.push(call); }
  save_changes() {
    const { number, positions } = this.state.request;
    const answer = (figures, error = "") => {
      this.state.answer = { number, figures, error };
      this.listeners.forEach((call) => call());
    };
    const figures = this.evaluate(positions);
    if (Array.isArray(figures)) return answer(figures);
    return figures.then((found) => answer(found), (error) => {
      const why = String(error?.message ?? error).slice(0, 200).replace(/\.$/, "");
      answer([], `This device could not follow your text: ${why}. The figure stays as it was; Reset brings back the first text.`);
    });
  }
}

const textEngine = new TextEngine(load, grids);

async function mount(figure, address) {
  const spec = JSON.parse(figure.querySelector("script[type='application/json']").textContent);
  if (spec.source) await load(spec.source);
  const packed = spec.source ? grids.get(spec.name) : spec.packed;
  await load("plotly.min.js");
  if (packed.starts) return mountLive(figure, spec, packed, address);
  if (packed.vocabulary) return mountTyped(figure, spec, packed, address);
  let evaluate;
  if (packed.function) {
    const compute = pageFunctions[packed.function];
    evaluate = (positions) => compute(packed.figures, positions, spec.controls);
  } else {
    const at = openGrid(packed);
    evaluate = (positions) => at(spec.controls.map((c) => positions[c.name]));
  }
  show(figure, { model: new PageModel(spec, evaluate, address) });
}

// A figure of a text: what computes it is loaded when the reader turns to the text.
function mountTyped(figure, spec, packed, address) {
  const typed = typedFigure(pageFunctions[packed.function], packed, spec.controls, textEngine);
  const model = new PageModel(spec, typed.figures, address);
  model.set("slow", "The page loads what computes this figure: about 5 MB, once.");
  show(figure, { model });
  figure.querySelector(".sv-text input").addEventListener("focus", () => {
    typed.prepare()?.catch(() => {}); // what is wrong is said when the reader types
  });
  new IntersectionObserver(([entry]) => {
    textEngine.seen[entry.isIntersecting ? "add" : "delete"](figure);
    textEngine.rest();
  }).observe(figure);
}
document.addEventListener("visibilitychange", () => textEngine.rest());
addEventListener("pagehide", () => textEngine.close());

function show(figure, parts) {
  figure.replaceChildren();
  render({ ...parts, el: figure, plotly: globalThis.Plotly });
  figure.style.removeProperty("--sv-height"); // it only kept the place
  figure.dataset.drawn = "true";
}

// A training figure: it stops, and gives its memory back, when it is out of sight.
function mountLive(figure, spec, packed, address) {
  const driver = new PageDriver(packed, spec, load, grids);
  const facts = driver.facts(Object.fromEntries(spec.controls.map((c) => [c.name, c.start])));
  const state = { address, facts, templates: globalThis.seqvizTemplates, continuous: false };
  const model = new LiveModel(spec, state, driver);
  show(figure, { model, training: trainingRow(model) });
  const leave = () => model.leave();
  new IntersectionObserver(([entry]) => entry.isIntersecting || leave()).observe(figure);
  document.addEventListener("visibilitychange", () => document.hidden && leave());
  addEventListener("pagehide", leave);
}

// A view of bertviz: a document of its own in a sandboxed frame, with the library it shares.
async function mountFrame(figure) {
  await Promise.all([load(figure.dataset.source), load("frame-library.js")]);
  const library = `<script>${globalThis.seqvizFrameLibrary}</script>`;
  figure.querySelector("iframe").srcdoc = grids.get(figure.id).replace("<!--library-->", () => library);
  figure.dataset.drawn = "true";
}

// The theme labels these with other words than they show, so that who speaks to the page, saying
// what is shown, is not understood. Without the label what is shown is the name.
function nameByWhatIsShown() {
  const labelled = "summary[aria-label], .search-button-field, .theme-switch-button";
  for (const element of document.querySelectorAll(labelled)) element.removeAttribute("aria-label");
  const mode = Object.assign(document.createElement("span"), {
    className: "visually-hidden", textContent: "Color mode: ",
  });
  document.querySelector(".theme-switch-button")?.prepend(mode);
}

function start() {
  nameByWhatIsShown();
  const figures = [...document.querySelectorAll("figure.sv-figure, figure.sv-frame")];
  if (!figures.length) return;
  const address = pageAddress();
  const draw = (figure) => {
    if (figure.dataset.near) return;
    figure.dataset.near = "true";
    const mounted = figure.matches(".sv-frame") ? mountFrame(figure) : mount(figure, address);
    mounted.catch((error) => {
      figure.append(Object.assign(document.createElement("p"), {
        className: "sv-problem", textContent: `This figure could not be drawn: ${error.message}`,
      }));
      throw error;
    });
  };
  const near = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: NEAR });
  figures.forEach((figure) => near.observe(figure));
  addEventListener("beforeprint", () => figures.forEach(draw));
  address.scroll();
}

if (document.readyState === "loading") addEventListener("DOMContentLoaded", start);
else start();
