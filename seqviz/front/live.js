// A training that the reader starts, stops and steps. Someone else takes the steps, a worker on a
// page or the kernel in a notebook; here they become pictures, buttons and a sentence.

import { copy } from "./grid.js";
import { make } from "./explorable.js";
import { escape } from "./words.js";

const WINDOW = 25; // steps of a running mean, as in seqviz/plots/live.py
const COLUMNS = 120; // of a gradient map; when there are more, every second one is dropped
const POINTS = 400; // of a line
const SAY = 700; // milliseconds between two changes of the sentence while training goes on
const GONE = 1e-12;

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
// power() of seqviz/plots/style.py.
export function power(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "undefined" : value > 0 ? "∞" : "-∞";
  if (value === 0 || (Math.abs(value) >= 1e-2 && Math.abs(value) < 1e4)) return String(Number(value.toPrecision(3)));
  const [digits, exponent] = value.toExponential(1).split("e");
  return `${digits}\u00a0×\u00a010${[...String(Number(exponent))].map((c) => SUPERSCRIPT[c]).join("")}`;
}

const rows = ({ data, dims }) => {
  const width = dims.at(-1);
  return Array.from({ length: dims.at(-2) }, (_, i) => data.slice(i * width, (i + 1) * width));
};
const log10 = (value) => (value > 0 ? Math.max(Math.log10(value), -300) : -300);

// What one training has measured so far, for one of its runs.
class Run {
  constructor() {
    this.values = [];
    this.sums = [0]; // running sums of the values, for means of any window
    this.rows = []; // [step, gradient by time]
    this.last = {};
    this.reached = null; // the step at which the mean first reached the target
  }
  mean() {
    const count = Math.min(WINDOW, this.values.length);
    return count ? (this.sums.at(-1) - this.sums[this.values.length - count]) / count : NaN;
  }
  add(value, learned) {
    value ??= NaN; // what JSON has no number for
    this.values.push(value);
    this.sums.push(this.sums.at(-1) + value);
    if (this.reached === null && this.values.length >= WINDOW && learned(this.mean())) {
      this.reached = this.values.length;
    }
  }
  line() {
    const every = Math.max(1, Math.ceil(this.values.length / POINTS));
    const [x, y] = [[], []];
    for (let i = 1; i <= this.values.length; i += every) {
      const from = Math.max(i - WINDOW, 0); // at first of the steps there are
      x.push(i);
      y.push((this.sums[i] - this.sums[from]) / (i - from));
    }
    return { x, y };
  }
}

// Gradients by lag, relative to the last step or, for inputs, to the largest.
function relative(gradient, ofInputs) {
  const values = Array.from(gradient).reverse();
  const base = ofInputs ? Math.max(...values) : values[0];
  return values.map((value) => (base > 0 ? value / base : 0));
}

export class Training {
  constructor(facts, steps) {
    this.facts = facts;
    this.runs = facts.labels.map(() => new Run());
    this.taken = 0;
    this.goal = steps;
    this.every = 1; // steps from one column of a gradient map to the next
    this.speed = 0; // steps a second
    this.over = false; // whether it cannot go on
    this.figures = facts.views.map((view) => copy(view.figure));
    this.fillAll();
  }
  learned = (score) =>
    this.facts.metric === "accuracy" ? score >= this.facts.target : score <= this.facts.target;
  get ofInputs() { return this.facts.quantity === "input_grad_norm"; }

  add({ values, rows: gradients, last, taken }) {
    values.forEach((series, i) => series.forEach((v) => this.runs[i].add(v, this.learned)));
    gradients?.forEach((list, i) => this.runs[i].rows.push(...list));
    last.forEach((internals, i) => { this.runs[i].last = internals; });
    this.taken = taken;
    while (this.runs.some((run) => run.rows.length > COLUMNS)) {
      this.every *= 2;
      for (const run of this.runs) run.rows = run.rows.filter(([step]) => step % this.every === 0);
    }
  }

  // A recorded run in place of one's own.
  replay(facts, runs, steps) {
    Object.assign(this, new Training(facts, steps));
    this.add({
      values: runs.map((run) => run.values), rows: runs.map((run) => run.rows),
      last: runs.map((run) => run.last), taken: steps,
    });
  }

  fill(index) {
    const view = this.facts.views[index];
    const figure = this.figures[index];
    const of = view.run === null ? null : this.runs[view.run];
    if (view.kind === "metric") {
      this.runs.forEach((run, i) => Object.assign(figure.data[i], run.line()));
      figure.layout.xaxis.range = [0, Math.max(100, this.taken)];
      const highest = Math.max(0, ...figure.data.slice(0, this.runs.length).flatMap(({ y }) => y.filter(Number.isFinite)));
      const top = view.figure.layout.yaxis.range[1];
      if (this.facts.metric === "mse") figure.layout.yaxis.range = [0, Math.max(top, Math.min(1.05 * highest, 4 * top))];
    } else if (view.kind === "gradient") {
      this.runs.forEach((run, i) => {
        const gradient = run.last[this.facts.quantity];
        const values = gradient ? relative(gradient.data, this.ofInputs) : [];
        Object.assign(figure.data[i], { x: values.map((_, lag) => lag), y: values.map(log10) });
      });
    } else if (view.kind === "gradient map") {
      const columns = of.rows.map(([, gradient]) => relative(gradient, this.ofInputs).map((v) => Math.log10(Math.max(v, GONE))));
      const lags = columns[0]?.map((_, lag) => lag) ?? [];
      figure.layout.xaxis.range = [0, Math.max(100, this.taken)];
      Object.assign(figure.data[0], {
        x: of.rows.map(([step]) => step), y: lags, z: lags.map((lag) => columns.map((c) => c[lag])),
      });
    } else if (!of.last[view.quantity]) {
      figure.data[0].z = [];
    } else if (view.kind === "gates") {
      figure.data[0].z = transposed(rows(of.last[view.quantity]));
    } else {
      const { rows: seen, names } = this.attention(of.last);
      // One scale for all runs, so that they can be compared.
      const shown = this.runs.filter((run) => run.last.attention);
      figure.data[0].z = seen;
      figure.data[0].zmax = Math.max(...shown.flatMap((run) => this.attention(run.last).rows.map((row) => Math.max(...row))));
      const ticks = names && { tickvals: names.map((_, i) => i + 1), ticktext: names.map((name) => escape(name, 10)), ticks: "" };
      for (const [axis, range] of [["xaxis", [0.5, seen.length + 0.5]], ["yaxis", [seen.length + 0.5, 0.5]]]) {
        Object.assign(figure.layout[axis], ticks, { range });
      }
      figure.layout.xaxis.tickangle = -90;
    }
  }

  // The mean of the heads, without the padding before a sentence, and the words if there are any.
  attention({ attention, tokens }) {
    const all = meanOfHeads(attention);
    if (!tokens) return { rows: all };
    const from = Math.max(Array.from(tokens.data).findIndex((token) => Number(token) !== 0), 0);
    return {
      rows: all.slice(from).map((row) => row.slice(from)),
      names: this.facts.words && Array.from(tokens.data).slice(from).map((token) => this.facts.words[Number(token)]),
    };
  }

  // What the pictures show, in words. The longest lag is what vanishes first.
  say() {
    const { facts, runs } = this;
    const name = facts.metric === "mse" ? "mean squared error" : "accuracy";
    const views = new Set(facts.views.map((v) => v.kind));
    const sentences = [];
    if (!this.taken) {
      sentences.push(`Press Train. Knowing nothing gives ${facts.metric === "mse" ? "a mean squared error" : "an accuracy"} of ${power(facts.chance)}; from ${power(facts.target)} the task counts as learned.`);
    } else {
      const mean = (run) => (Number.isFinite(run.mean()) ? run.mean().toFixed(3) : "no number any more");
      const each = runs.map((run, i) => `${facts.labels[i]}: ${mean(run)}${run.reached === null ? "" : ` (learned at step ${run.reached})`}`);
      sentences.push(`After ${this.taken} ${this.taken === 1 ? "step" : "steps"} the ${name} is, for ${each.join("; ")}.`);
    }
    if (views.has("gradient") || views.has("gradient map")) {
      const each = runs.map((run, i) => {
        const gradient = run.last[facts.quantity];
        return gradient && `${facts.labels[i]}: ${power(relative(gradient.data, this.ofInputs).at(-1))}`;
      }).filter(Boolean);
      const lag = (runs[0].last[facts.quantity]?.data.length ?? 1) - 1;
      if (each.length) sentences.push(`${lag} steps back the gradient, relative to the ${this.ofInputs ? "largest" : "last"}, is, for ${each.join("; ")}.`);
    }
    for (const view of facts.views.filter((v) => v.kind === "attention" && this.taken)) {
      sentences.push(this.label(view));
    }
    // The first picture says it aloud; the others are named for whoever cannot see them.
    this.figures.forEach((figure, i) => { figure.layout.meta = { label: this.label(facts.views[i]) }; });
    this.figures[0].layout.meta = { description: sentences.join(" ") };
  }
  label({ kind, run, quantity }) {
    const whose = run === null ? "" : ` of ${this.facts.labels[run]}`;
    const map = run === null ? null : this.runs[run].last[quantity];
    if (kind === "gradient") return "Gradient by lag, at the step just taken.";
    if (!map) return `${kind}${whose}: nothing yet.`;
    if (kind === "gradient map") {
      return `Gradient by lag${whose}, over ${this.taken} steps; at the last one the furthest lag has ${power(relative(map.data, this.ofInputs).at(-1))}.`;
    }
    if (kind === "gates") {
      const open = map.data.reduce((sum, value) => sum + value, 0) / map.data.length;
      return `${quantity.replace("gates.", "").replaceAll("_", " ")}${whose}, by time step and unit: ${(100 * open).toFixed(0)} % open on average.`;
    }
    const { rows: seen, names } = this.attention(this.runs[run].last);
    const looked = seen.reduce((sum, row) => sum.map((v, k) => v + row[k]));
    const most = looked.indexOf(Math.max(...looked));
    return `Attention${whose}: ${names ? `“${names[most]}”, ` : ""}position ${most + 1}, gets ${((100 * looked[most]) / seen.length).toFixed(0)} %.`;
  }
  fillAll() {
    this.figures.forEach((_, i) => this.fill(i));
    this.say();
  }

  // A loss that is no number ends a training: its parameters are none either.
  lost() {
    const at = this.runs.findIndex((run) => run.values.length && !Number.isFinite(run.values.at(-1)));
    return at < 0 ? "" : `The loss of ${this.facts.labels[at]} is no number any more; a lower learning rate may help. Press Train to begin again.`;
  }

  progress(i) {
    const { chance, target } = this.facts;
    const way = (this.runs[i].mean() - chance) / (target - chance);
    return Number.isFinite(way) ? Math.min(Math.max(way, 0), 1) : 0;
  }
}

const transposed = (map) => Array.from({ length: map[0].length }, (_, unit) => map.map((row) => row[unit]));
function meanOfHeads({ data, dims }) {
  const [heads, queries, keys] = dims;
  return Array.from({ length: queries }, (_, q) => Float32Array.from({ length: keys }, (_, k) => {
    let sum = 0;
    for (let h = 0; h < heads; h++) sum += data[(h * queries + q) * keys + k];
    return sum / heads;
  }));
}

// The row of buttons, with the state of the training beside it.
export function trainingRow(live) {
  const { spec } = live;
  const button = (word, press) => {
    const made = make("button", { type: "button", textContent: word });
    made.setAttribute("aria-label", `${word}: ${spec.name}`);
    made.addEventListener("click", press);
    return made;
  };
  const train = button("Train", () => live.toggle());
  train.className = "sv-train";
  const step = button("Step", () => live.step());
  const reset = button("Reset", () => live.reset());
  const status = make("span", { className: "sv-status" });
  const ways = make("div", { className: "sv-ways" });
  const element = make("div", { className: "sv-control sv-training" },
    make("div", { className: "sv-row" }, train, step, reset, status), ways);
  const bars = [];
  const show = () => {
    const { training, running, busy } = live;
    const word = busy ? "Loading" : running ? "Pause" : "Train";
    if (train.textContent !== word) {
      train.textContent = word;
      train.setAttribute("aria-label", `${word}: ${spec.name}`);
    }
    train.setAttribute("aria-busy", String(busy));
    const speed = running && training.speed ? `, ${training.speed.toFixed(0)} steps/s` : "";
    status.textContent = `step ${training.taken}${speed}`;
    while (bars.length < training.runs.length) {
      const bar = make("progress", { max: 1 });
      const text = make("span", {});
      const label = make("label", {}, text, bar);
      bars.push({ bar, text, label });
      ways.append(label);
    }
    bars.forEach(({ bar, text, label }, i) => {
      label.hidden = i >= training.runs.length;
      if (label.hidden) return;
      const way = training.progress(i);
      bar.value = way;
      const { reached } = training.runs[i];
      text.textContent = `${training.facts.labels[i]}: ${reached === null ? `${(100 * way).toFixed(0)} % of the way` : `learned at step ${reached}`}`;
    });
  };
  live.show = show;
  show();
  return element;
}

// The `model` that explorable.js draws from: figures that come by themselves while training goes on.
// `driver` takes the steps: { facts(positions), start(positions, training), run(request),
// rate(positions), release(), failed(error, training) → sentence }.
export class LiveModel {
  constructor(spec, state, driver) {
    Object.assign(this, { spec, driver, listeners: [], show: () => {} });
    this.positions = Object.fromEntries(spec.controls.map((c) => [c.name, c.start]));
    this.turn = null; // while training goes on, what tells this time from those before
    this.going = Promise.resolve();
    this.busy = false; // while the engine loads
    this.held = null; // the training that the driver holds
    this.resets = 0;
    this.resetting = null; // the last reset, while it is under way
    this.again = false; // whether a training goes on after it
    this.left = 0; // how often the figure was left
    this.state = { spec, ...state };
    this.training = new Training(state.facts, spec.steps);
    this.state.answer = { number: 0, figures: this.training.figures, error: "" };
  }
  get(key) { return this.state[key]; }
  set(key, value) { this.state[key] = value; }
  on(event, call) { if (event === "change:answer") this.listeners.push(call); }
  off(_event, call) { this.listeners = this.listeners.filter((one) => one !== call); }

  emit({ only, error = "" } = {}) {
    const number = this.state.request?.number ?? 0;
    const { figures } = this.training;
    this.state.answer = { number, figures, error, only, running: this.running };
    this.listeners.forEach((call) => call());
    this.show();
  }

  // A control was moved. The learning rate acts on what goes on; all others begin anew.
  save_changes() {
    const { positions } = this.state.request;
    const before = this.positions;
    this.positions = positions;
    const anew = (name) => name !== "learning_rate" && positions[name] !== before[name];
    if (Object.keys(positions).some(anew)) this.reset();
    else this.emit({ only: [] });
  }

  // A control can move again before the driver has answered, or while the engine loads: only the
  // last reset counts, and whether training goes on is remembered over all of them.
  reset() {
    this.again ||= this.running;
    this.turn = this.held = null;
    this.resetting = this.anew(++this.resets);
    return this.resetting;
  }
  async anew(number) {
    try {
      await this.loading?.catch(() => {});
      const facts = await this.driver.facts(this.positions);
      if (number !== this.resets) return;
      this.resetting = null;
      this.training = new Training(facts, this.spec.steps);
      this.emit();
    } catch (error) {
      if (number !== this.resets) return;
      this.resetting = null;
      this.again = false;
      this.emit({ error: error.message });
      return;
    }
    if (!this.again) return;
    this.again = false;
    await this.toggle();
  }

  get running() { return this.turn !== null || this.again; }

  toggle() {
    if (this.busy) return undefined;
    if (this.running) return this.pause();
    if (this.resetting) {
      this.again = true;
      return this.show();
    }
    this.turn = {};
    return this.go(this.turn);
  }
  step() {
    if (this.busy) return undefined;
    if (this.running) return this.pause();
    const { resetting, left } = this;
    return resetting ? resetting.then(() => left === this.left && this.step()) : this.go(null);
  }
  pause() {
    this.turn = null;
    this.again = false;
    this.show();
  }

  // Steps of one turn, or a single step, when those asked for before are taken.
  go(turn) {
    const [before, left] = [this.going, this.left];
    this.going = before.then(() => (left === this.left ? this.take(turn) : undefined));
    return this.going;
  }
  async take(turn) {
    const more = () => turn !== null && this.turn === turn;
    if (turn && !more()) return;
    // A new training where the last is over, its numbers lost or recorded.
    if (this.training.over) this.training = new Training(this.training.facts, this.spec.steps);
    const { training } = this;
    while (turn && training.taken >= training.goal) training.goal += this.spec.steps;
    const until = turn ? training.goal : training.taken + 1;
    const here = () => training === this.training;
    const ask = () => {
      const answer = this.driver.run({ until, rate: this.driver.rate(this.positions), every: training.every });
      answer.catch(() => {}); // told by the one that is waited for
      return answer;
    };
    // Two requests are under way at any time, so that the engine need not wait for a drawing.
    const line = [];
    try {
      await this.ready(training);
      if (!here() || (turn && !more())) return;
      if (turn) this.draw(turn);
      let [began, from] = [performance.now(), training.taken];
      do {
        while (line.length < (more() ? 2 : 1)) line.push(ask());
        const answer = await line.shift();
        if (!here()) return;
        training.add(answer);
        this.dirty = true;
        if (training.lost()) throw new Error();
        const seconds = (performance.now() - began) / 1000;
        if (seconds > 0.5) {
          training.speed = (training.taken - from) / seconds;
          [began, from] = [performance.now(), training.taken];
        }
      } while (more() && training.taken < until);
      for (const answer of await Promise.all(line)) if (here()) training.add(answer);
      if (!here()) return;
      if (more()) this.turn = null;
      training.fillAll();
      this.emit();
    } catch (error) {
      if (!here()) return;
      this.turn = this.held = null;
      const sentence = training.lost() || this.driver.failed(error, training);
      training.over = true;
      training.fillAll();
      this.emit({ error: sentence });
    }
  }
  async ready(training) {
    if (this.held === training) return;
    this.busy = true;
    this.show();
    try {
      this.loading = this.driver.start(this.positions, training);
      await this.loading;
      this.held = training;
    } finally {
      this.busy = false;
      this.loading = null;
      this.show();
    }
  }

  // One picture a frame, and then a rest of half the time it took: the page stays smooth.
  draw(turn, index = 0, said = 0, rested = 0) {
    if (this.turn !== turn) return;
    const { training } = this;
    const now = performance.now();
    if (this.dirty && now >= rested) {
      index %= training.figures.length;
      if (now - said > SAY) {
        training.say();
        said = now;
      }
      training.fill(index);
      this.emit({ only: [index] });
      this.dirty = ++index !== training.figures.length;
      const end = performance.now();
      rested = end + (end - now) / 2;
    }
    requestAnimationFrame(() => this.draw(turn, index, said, rested));
  }

  // Out of sight, or the page is left: stop, and give the memory back.
  async leave() {
    this.left++;
    this.pause();
    await this.loading?.catch(() => {});
    this.held = null;
    await this.driver.release(); // also the engine of a training that is over
  }
}
