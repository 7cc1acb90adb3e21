// Builds seqviz/static: our modules bundled for a page and for a notebook, and the third-party
// files, at the versions of package-lock.json.

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { build } from "esbuild";

const out = "seqviz/static";
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });

const shared = { bundle: true, minify: true, target: "es2022", charset: "utf8" };
await build({ ...shared, entryPoints: ["seqviz/front/page.js"], format: "iife", outfile: `${out}/page.js` });
await build({ ...shared, entryPoints: ["seqviz/front/widget.js"], format: "esm", outfile: `${out}/widget.js` });
// For views in frames: once as a script, and once as a text that a page puts into each frame.
await build({ ...shared, charset: "ascii", entryPoints: ["seqviz/front/frame.js"], format: "iife", outfile: `${out}/frame.js` });
const library = readFileSync(`${out}/frame.js`, "utf8").replaceAll("</script", "<\\/script");
writeFileSync(`${out}/frame.js`, library);
writeFileSync(`${out}/frame-library.js`, `globalThis.seqvizFrameLibrary=${JSON.stringify(library)};`);
// The engine that trains on a page: a worker's source and onnxruntime's WebAssembly in one script.
const engine = await build({
  ...shared, entryPoints: ["seqviz/front/engine.js"], format: "iife", write: false,
  define: { "import.meta.url": "self.location.href" },
});
const wasm = readFileSync("node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm");
const parts = { worker: engine.outputFiles[0].text, wasm: deflateRawSync(wasm, { level: 9 }).toString("base64") };
writeFileSync(`${out}/engine.js`, `globalThis.seqvizEngine=${JSON.stringify(parts)};`);
cpSync("seqviz/front/style.css", `${out}/style.css`);
cpSync("node_modules/plotly.js-cartesian-dist-min/plotly-cartesian.min.js", `${out}/plotly.min.js`);
cpSync("node_modules/mathjax/es5/tex-chtml.js", `${out}/mathjax/tex-chtml.js`);
cpSync("node_modules/mathjax/es5/output/chtml/fonts/woff-v2", `${out}/mathjax/output/chtml/fonts/woff-v2`, { recursive: true });
