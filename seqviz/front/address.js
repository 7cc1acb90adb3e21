// The state of a page's figures in its URL: #figure-id?figure.control=value&…
// The part before the question mark is the figure moved last, so a shared link scrolls to it.

const PAUSE = 250; // milliseconds; browsers refuse a URL that changes hundreds of times a second

function parse() {
  const hash = location.hash.slice(1);
  const cut = hash.indexOf("?");
  const anchor = cut < 0 ? hash : hash.slice(0, cut);
  return { anchor, state: new URLSearchParams(cut < 0 ? "" : hash.slice(cut + 1)) };
}

export function pageAddress() {
  let timer = null;
  const current = parse().state;

  function keep(name, entries) {
    for (const key of [...current.keys()]) if (key.startsWith(name + ".")) current.delete(key);
    for (const [control, value] of entries) current.set(`${name}.${control}`, value);
  }
  const link = (name) => `#${name}${current.size ? "?" + current : ""}`;

  return {
    link,
    write(name, entries) {
      keep(name, entries);
      clearTimeout(timer);
      timer = setTimeout(() => history.replaceState(null, "", link(name)), PAUSE);
    },
    read(name) {
      const found = new Map();
      for (const [key, value] of current) {
        if (key.startsWith(name + ".")) found.set(key.slice(name.length + 1), value);
      }
      return found;
    },
    listen(restore) {
      const onHash = () => {
        const { anchor, state } = parse();
        if (!location.hash.includes("?") && !document.getElementById(anchor)?.matches(".sv-figure")) return;
        for (const key of [...current.keys()]) current.delete(key);
        for (const [key, value] of state) current.set(key, value);
        restore();
        document.getElementById(anchor)?.scrollIntoView(); // which the browser does for plain anchors
      };
      addEventListener("hashchange", onHash);
      return () => removeEventListener("hashchange", onHash);
    },
    // A hash with a state is no plain anchor, so the browser does not scroll to it by itself.
    scroll() {
      const { anchor } = parse();
      if (location.hash.includes("?")) document.getElementById(anchor)?.scrollIntoView();
    },
  };
}
