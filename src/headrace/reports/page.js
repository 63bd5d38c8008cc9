"use strict";
// Turns each still picture into its interactive twin, in the colours of the page.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink").trim();
    const soft = style.getPropertyValue("--soft").trim();
    const line = style.getPropertyValue("--line").trim();
    return {
      background: "transparent",
      font: "system-ui, sans-serif",
      title: { color: ink, subtitleColor: soft },
      axis: { labelColor: soft, titleColor: ink, gridColor: line, domainColor: soft, tickColor: soft },
      legend: { labelColor: ink, titleColor: ink },
      header: { labelColor: ink, titleColor: ink },
      text: { color: ink },
      view: { stroke: line },
    };
  };
  // A single view takes the width that there is; one of several views keeps its own, and scrolls.
  const stretches = (spec, room) => {
    const alone = !["hconcat", "vconcat", "concat", "facet", "repeat"].some((key) => key in spec);
    const encoding = spec.encoding || (spec.layer && spec.layer[0].encoding) || {};
    const faceted = ["row", "column", "facet"].some((key) => key in encoding);
    const wide = encoding.x && ["quantitative", "temporal"].includes(encoding.x.type);
    return alone && !faceted && typeof spec.width === "number" && (wide || spec.width > room);
  };
  const autosize = { type: "fit-x", contains: "padding" };
  const fit = (spec, room) => {
    if (!stretches(spec, room)) return [spec, {}];
    // Vega-Lite warns of a width that fits beside a height of steps, although it does draw both.
    if (typeof spec.height === "object") return [spec, { patch: (vega) => ({ ...vega, width: room, autosize }) }];
    return [{ ...spec, width: "container", autosize }, {}];
  };
  const draw = (figure) => {
    const text = figure.querySelector("script[type='application/json']").textContent;
    const chart = figure.querySelector(".live-only");
    figure.classList.add("live");
    const [spec, more] = fit(JSON.parse(text), chart.clientWidth);
    const tooltip = { theme: dark.matches ? "dark" : "light" };
    const options = { actions: false, renderer: "svg", config: theme(), tooltip, ...more };
    return vegaEmbed(chart, spec, options).catch((error) => {
      figure.classList.remove("live");
      console.error(error);
    });
  };
  const figures = [...document.querySelectorAll("figure[data-live]")];
  const drawAll = () => Promise.all(figures.map(draw)).then(() => { document.body.dataset.drawn = figures.length; });
  dark.addEventListener("change", drawAll);
  drawAll();
})();
