// Draws one plotly figure in the book's template, for the theme and the width it is shown in.

const CONFIG = { displayModeBar: false, responsive: false, scrollZoom: false };
const NARROW = 520; // pixels; below this the type shrinks and margins tighten

export function theme() {
  const page = document.documentElement.dataset.theme;
  if (page) return page === "dark" ? "dark" : "light";
  return document.body.dataset.jpThemeLight === "false" ? "dark" : "light";
}

function forWidth(template, width) {
  if (width >= NARROW) return template;
  const { layout } = template;
  return {
    ...template,
    layout: {
      ...layout,
      font: { ...layout.font, size: layout.font.size - 2 },
      margin: { ...layout.margin, l: 46, r: 10 },
    },
  };
}

export function draw(Plotly, plot, figure, templates) {
  const width = plot.clientWidth || 640;
  const layout = { ...figure.layout, width, template: forWidth(templates[theme()], width) };
  return Plotly.react(plot, figure.data, layout, CONFIG);
}

// Calls `redraw` when the theme is switched or the width changes; returns how to stop.
export function onAppearance(element, redraw) {
  const themes = new MutationObserver(redraw);
  themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  themes.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  let width = element.clientWidth;
  const sizes = new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    redraw();
  });
  sizes.observe(element);
  return () => {
    themes.disconnect();
    sizes.disconnect();
  };
}
