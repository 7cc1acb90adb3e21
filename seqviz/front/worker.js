// Opens the engine in a worker, from a script that is loaded when it is first needed. The script
// carries everything, since a page on file:// may neither fetch nor name a file to a worker.

import { inflateSync } from "fflate";
import { bytes } from "./grid.js";

const PATIENCE = 30_000; // milliseconds until an engine that says nothing counts as failed

export const inflated = (text) => inflateSync(new Uint8Array(bytes(text)));

async function inflatedByBrowser(text) {
  if (!globalThis.DecompressionStream) return inflated(text);
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export async function openWorker(load) {
  if (!globalThis.WebAssembly || !globalThis.Worker) {
    throw new Error("this browser has no WebAssembly or no workers");
  }
  await load("engine.js");
  const { worker: source, wasm } = globalThis.seqvizEngine;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const worker = new Worker(url);
  const waiting = new Map();
  let number = 0;
  let broken = null; // a worker can fail before it is asked anything
  const fail = (error) => {
    broken ??= error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.onmessage = ({ data: { number, error, ...answer } }) => {
    const one = waiting.get(number);
    waiting.delete(number);
    if (error) one?.reject(new Error(error));
    else one?.resolve(answer);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    fail(new Error(event.message || "its worker could not be started"));
  };
  const ask = (kind, message = {}, transfer = []) => new Promise((resolve, reject) => {
    if (broken) return reject(broken);
    waiting.set(++number, { resolve, reject });
    worker.postMessage({ number, kind, ...message }, transfer);
  });
  const close = () => {
    worker.terminate();
    URL.revokeObjectURL(url);
    fail(new Error("closed"));
  };
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("it did not start in time")), PATIENCE);
  });
  try {
    const binary = await inflatedByBrowser(wasm);
    await Promise.race([ask("open", { wasm: binary.buffer }, [binary.buffer]), late]);
  } catch (error) {
    close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return { ask, close };
}
