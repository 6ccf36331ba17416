// Charts of an evaluation: curves and bars drawn by uPlot in the page's colours, from the data in the page.
"use strict";

(() => {
  const HEIGHT = 240;
  const STROKES = {
    challenger: { width: 2, dash: [] },
    champion: { width: 1.75, dash: [8, 4] },
    ungated: { width: 1.5, dash: [2, 3] },
  };
  const style = getComputedStyle(document.body);
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const drawn = [];

  // A canvas knows no light-dark(): the browser resolves it on an element.
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const faint = (ink, share) => ink.replace(/^rgb\(([^)]+)\)$/, `rgba($1, ${share})`);
  const date = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", dateStyle: "short" });
  const label = (chart, value) => (chart.kind === "days" ? date.format(value * 1000) : value.toFixed(chart.unit === "ideas" ? 3 : 2));

  const line = (each, chart) => ({
    label: each.name,
    stroke: colour(each.tone),
    ...STROKES[each.tone],
    points: { show: false },
    value: (_, value) => (value === null || value === undefined ? "–" : `${value.toFixed(2)} ${chart.unit}`),
  });

  const steps = (each, chart, index) => ({
    label: each.name,
    stroke: colour(each.tone),
    ...STROKES[each.tone],
    fill: index === 0 ? faint(colour(each.tone), 0.25) : undefined,
    paths: uPlot.paths.stepped({ align: 1 }),
    points: { show: false },
    value: (_, value) => (value === null || value === undefined ? "–" : `${value} ${chart.unit}`),
  });

  // The upright lines of the chart, and the one where nothing was made or lost.
  const marks = (chart) => (plot) => {
    const { ctx, bbox } = plot;
    const stroke = (ink, dash, from, to) => {
      ctx.strokeStyle = ink;
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash(dash.map((part) => part * devicePixelRatio));
      ctx.beginPath();
      ctx.moveTo(...from);
      ctx.lineTo(...to);
      ctx.stroke();
    };
    ctx.save();
    for (const { tone, at } of chart.lines) {
      const x = plot.valToPos(at, "x", true);
      stroke(colour(tone), STROKES[tone].dash, [x, bbox.top], [x, bbox.top + bbox.height]);
    }
    const zero = chart.kind === "days" ? "y" : "x";
    const { min, max } = plot.scales[zero];
    if (min < 0 && max > 0) {
      const at = plot.valToPos(0, zero, true);
      if (zero === "y") stroke(colour("faint"), [], [bbox.left, at], [bbox.left + bbox.width, at]);
      else stroke(colour("faint"), [], [at, bbox.top], [at, bbox.top + bbox.height]);
    }
    ctx.restore();
  };

  const axis = (more) => ({
    stroke: colour("soft"),
    grid: { stroke: colour("line"), width: 1 },
    ticks: { stroke: colour("line"), width: 1, size: 4 },
    font: `12px ${style.fontFamily || "system-ui, sans-serif"}`,
    ...more,
  });

  const options = (chart, width) => ({
    width,
    height: HEIGHT,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    legend: { live: true },
    scales: {
      x: { time: chart.kind === "days", range: (_, low, high) => [low, high] },
      y: chart.kind === "days" ? {} : { range: (_, low, high) => [0, Math.max(high, 1) * 1.08] },
    },
    axes: [
      axis({ space: 70 }),
      axis({ size: 52, values: (_, values) => values.map((value) => (chart.kind === "days" ? `${value} %` : `${value}`)) }),
    ],
    series: [
      {
        label: chart.kind === "days" ? "day" : "from",
        value: (_, value) => (value === null || value === undefined ? "–" : label(chart, value)),
      },
      ...chart.series.map((each, index) => (chart.kind === "days" ? line(each, chart) : steps(each, chart, index))),
    ],
    hooks: { draw: [marks(chart)] },
  });

  const rows = (chart) => {
    const padded = chart.kind === "days" ? [] : [0]; // a step ends where the last bar does
    return [chart.at, ...chart.series.map((each) => [...each.values, ...padded])];
  };

  const draw = (place, chart) => {
    place.replaceChildren();
    const plot = new uPlot(options(chart, place.clientWidth), rows(chart), place);
    new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
    return plot;
  };

  for (const place of document.querySelectorAll("[data-chart]")) {
    const chart = JSON.parse(document.getElementById(`data-${place.dataset.chart}`).textContent);
    drawn.push({ place, chart, plot: draw(place, chart) });
  }

  const again = () => {
    for (const each of drawn) {
      each.plot.destroy();
      each.plot = draw(each.place, each.chart);
    }
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  new MutationObserver(again).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
})();
