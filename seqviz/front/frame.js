// What bertviz asks of a page, jQuery and d3 under require.js, without a loader and a network.

import { hsl, scaleOrdinal, schemeCategory10, select, version } from "d3";
import jquery from "jquery";

globalThis.require = { config() {} };
globalThis.requirejs = (_names, run) =>
  run(jquery, { hsl, scaleOrdinal, schemeCategory10, select, version });
