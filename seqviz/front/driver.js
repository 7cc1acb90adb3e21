// On a page a worker takes the steps; what it needs lies beside the figure.

import { ARRAYS, bytes } from "./grid.js";
import { sliderValue } from "./explorable.js";
import { inflated, openWorker } from "./worker.js";

function open({ deflated, dtype, shape, wide }) {
  return { data: new ARRAYS[dtype](inflated(deflated).slice().buffer), shape, wide };
}

export class PageDriver {
  constructor(packed, spec, load, files) {
    Object.assign(this, { packed, spec, load, files, engine: null, kept: null, releasing: null });
  }
  point(positions) {
    const { axes, sizes, starts } = this.packed;
    return starts[axes.reduce((at, name, axis) => at * sizes[axis] + positions[name], 0)];
  }
  facts(positions) { return this.packed.facts[this.point(positions).facts]; }
  rate(positions) {
    const control = this.spec.controls.find((c) => c.name === "learning_rate");
    return control ? sliderValue(control, positions.learning_rate) : this.spec.rate;
  }

  async start(positions, training) {
    const { runs, task, seed } = this.point(positions);
    const graphs = await Promise.all(runs.map((run) => this.file(run.graph)));
    const { feeds, blobs } = await this.file(this.packed.data);
    await this.releasing;
    this.engine ??= await openWorker(this.load);
    const kept = this.kept?.training === training ? this.kept.states : null;
    this.kept = null;
    const feed = { ...feeds[task] };
    for (const part of ["inputs", "targets"]) if (feed[part]) feed[part] = open(feed[part]);
    await this.engine.ask("start", {
      feed, seed, size: this.packed.batch_size, taken: training.taken,
      runs: runs.map((run, i) => ({
        name: run.graph, bytes: inflated(graphs[i].deflated), state: kept?.[i] ?? first(run, blobs),
      })),
    });
    this.training = training;
  }
  async file(name) {
    const file = this.packed.files[name];
    if (file.source && !this.files.has(name)) await this.load(file.source);
    return file.source ? this.files.get(name) : file;
  }
  run(request) { return this.engine.ask("run", request); }

  // The worker goes, the numbers stay.
  release() {
    const { engine, training } = this;
    if (!engine) return this.releasing;
    this.engine = null;
    this.releasing = engine.ask("states")
      .then(({ states }) => { this.kept = { training, states }; }, () => {})
      .then(() => engine.close());
    return this.releasing;
  }

  // A device that cannot train shows the run that was recorded when the book was built.
  failed(error, training) {
    this.engine?.close();
    this.engine = null;
    const recorded = this.packed.recorded;
    const why = String(error?.message ?? error).slice(0, 200).replace(/\.$/, "");
    if (training.taken > 0) return `The training stopped: ${why}. Press Train to begin again.`;
    const begin = Object.fromEntries(this.spec.controls.map((c) => [c.name, c.start]));
    training.replay(this.facts(begin), recorded.runs.map((run) => ({
      values: Array.from(open(run.value).data),
      rows: run.rows ? cut(open(run.rows)).map((row, i) => [i * recorded.every, row]) : [],
      last: Object.fromEntries(Object.entries(run.last).map(([name, array]) => {
        const { data, shape } = open(array);
        return [name, { data, dims: shape }];
      })),
    })), recorded.steps);
    return `This device could not train here: ${why}. You see a run recorded with PyTorch, at the settings the figure begins with.`;
  }
}

// Parameters one after the other, then room for what the optimizer remembers.
function first({ start, size }, blobs) {
  const state = new Float32Array(size);
  let at = 0;
  for (const blob of start) {
    const piece = new Float32Array(bytes(blobs[blob]));
    state.set(piece, at);
    at += piece.length;
  }
  return state;
}

function cut({ data, shape: [count, width] }) {
  return Array.from({ length: count }, (_, i) => data.subarray(i * width, (i + 1) * width));
}
