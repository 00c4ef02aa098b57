"use strict";
// Maps of a value, layer by point, one per route side by side, on one scale of colours.
{
  const LEFT = 30;
  const BOTTOM = 34;
  const GAP = 18;

  /**
   * title of the value; onpick(route, place, layer): a cell was clicked.
   * Returns {node, draw(maps, scale), mark(route, place, layer)}; maps: [{route, points: [{point,
   * position}], layers, rows: [{place, layer, value, strong, words}]}]; scale: {low, high, marks:
   * [{value, text}]}
   */
  rasen.heatMaps = ({ title, strongly, onpick }) => {
    const row = rasen.el("div", { class: "maps" });
    const legend = rasen.el("div", { class: "legend" });
    const words = rasen.el("p", { class: "quiet readout" }, "");
    const node = rasen.el("div", {}, row, words, legend);
    let plots = new Map();
    let at = null;
    let resting = "";

    async function draw(maps, scale) {
      const { Plot, d3 } = await rasen.charts();
      const colour = d3.scaleLinear(
        d3.quantize(d3.interpolateNumber(scale.low, scale.high), 5),
        rasen.colours.heat(),
      ).interpolate(d3.interpolateLab).clamp(true);
      const room = node.clientWidth || 560;
      const count = maps.reduce((sum, map) => sum + map.points.length, 0);
      const across = Math.max(11, Math.min(maps.length > 1 ? 30 : 64, Math.floor((room - maps.length * (LEFT + GAP + 2) + GAP - 1) / count)));
      const most = Math.max(...maps.map((map) => map.layers.length));
      const up = Math.max(5, Math.min(24, 230 / most));
      plots = new Map();
      row.replaceChildren(
        ...maps.map((map) => {
          const plot = one(Plot, map, colour, Math.min(across, (room - LEFT - 4) / map.points.length), up);
          plots.set(map.route, plot);
          const made = rasen.el("div", { class: "map" }, rasen.el("h4", {}, map.route), plot.svg);
          made.style.width = `${plot.svg.getAttribute("width")}px`;
          return made;
        }),
      );
      legend.replaceChildren(scaleBar(colour, scale, room));
      if (at) mark(...at);
    }

    function one(Plot, map, colour, across, up) {
      const high = map.layers.length;
      const ticks = rasen.ticks(map.points.length, across, 30);
      const layerTicks = rasen.ticks(high, up, 16).map((place) => map.layers[place]);
      const plot = Plot.plot({
        width: LEFT + across * map.points.length + 2,
        height: up * high + BOTTOM + 4,
        marginLeft: LEFT, marginRight: 2, marginTop: 4, marginBottom: BOTTOM,
        style: rasen.chartStyle(),
        x: {
          type: "band", domain: map.points.map((_, place) => place), padding: 0.06, label: null,
          ticks, tickSize: 0, tickPadding: 6,
          tickFormat: (place) => tick(map.points[place].position),
        },
        y: { type: "band", domain: [...map.layers].reverse(), padding: 0.06, label: null, ticks: layerTicks, tickSize: 0 },
        marks: [
          Plot.cell(map.rows, { x: "place", y: "layer", fill: (d) => d.value === null ? "none" : colour(d.value), rx: 2 }),
          Plot.dot(map.rows.filter((d) => d.strong), {
            x: "place", y: "layer", r: Math.min(2.5, up / 5),
            fill: (d) => (window.d3.lab(colour(d.value)).l > 60 ? "#15181b" : "#ffffff"),
          }),
        ],
      });
      const svg = rasen.named(plot, `${title} along ${map.route}: layer by point, as colours`);
      const x = plot.scale("x");
      const y = plot.scale("y");
      const marker = rasen.svg("rect", { class: "marker", rx: 3, width: x.bandwidth + 3, height: y.bandwidth + 3 });
      svg.append(marker);
      const found = (event) => {
        const box = svg.getBoundingClientRect();
        const shrunk = svg.viewBox.baseVal.width / box.width;
        const place = Math.floor(((event.clientX - box.left) * shrunk - LEFT) / across);
        const layer = high - 1 - Math.floor(((event.clientY - box.top) * shrunk - 4) / up);
        return map.rows.find((d) => d.place === place && d.layer === map.layers[layer]);
      };
      svg.addEventListener("pointermove", (event) => {
        const cell = found(event);
        words.textContent = cell ? cell.words : resting;
      });
      svg.addEventListener("pointerleave", () => (words.textContent = resting));
      svg.addEventListener("click", (event) => {
        const cell = found(event);
        if (cell) onpick(map.route, cell.place, cell.layer);
      });
      return { map, svg, marker, x, y };
    }

    function tick(position) {
      return position >= 1000 ? `${position / 1000}k` : String(Number(position.toFixed(2))).replace(/^0\./, ".");
    }

    function scaleBar(colour, scale, room) {
      const width = Math.min(room, 560);
      const x = (value) => (width * (value - scale.low)) / (scale.high - scale.low);
      const marks = rasen.labelRows(
        scale.marks
          .filter(({ value }) => value >= scale.low && value <= scale.high)
          .map(({ value, text }) => ({ at: x(value), text })),
        width,
      );
      const rows = Math.max(0, ...marks.map((mark) => mark.row + 1));
      const svg = rasen.svg("svg", {
        width, height: 34 + 17 * rows, viewBox: `0 0 ${width} ${34 + 17 * rows}`, role: "img",
        "aria-label": `Scale of colours from ${rasen.words.number(scale.low)} to ${rasen.words.number(scale.high)}; ${marks.map((m) => m.text).join("; ")}`,
        class: "scale",
      });
      const stripes = 64;
      for (let i = 0; i < stripes; i++)
        svg.append(
          rasen.svg("rect", {
            x: (width * i) / stripes, y: 16, width: width / stripes + 0.5, height: 10,
            fill: colour(scale.low + ((i + 0.5) / stripes) * (scale.high - scale.low)),
          }),
        );
      svg.append(
        rasen.svg("text", { x: 0, y: 11 }, rasen.words.number(scale.low)),
        rasen.svg("text", { x: width, y: 11, "text-anchor": "end" }, rasen.words.number(scale.high)),
        rasen.svg("text", { x: width / 2, y: 11, "text-anchor": "middle" }, `${title}${strongly ? `; dots: ${strongly}` : ""}`),
      );
      for (const mark of marks) {
        svg.append(
          rasen.svg("line", { x1: mark.at, x2: mark.at, y1: 14, y2: 41 + 17 * mark.row, class: "tick" }),
          rasen.svg("text", { x: mark.left, y: 41 + 17 * mark.row }, mark.text),
        );
      }
      return svg;
    }

    function mark(route, place, layer) {
      at = [route, place, layer];
      words.textContent = resting = "";
      for (const [name, { map, marker, x, y }] of plots) {
        const here = name === route && (layer === null || map.layers.includes(layer)) && place < map.points.length;
        marker.style.display = here ? "" : "none";
        if (!here) continue;
        marker.setAttribute("x", x.apply(place) - 1.5);
        const top = layer === null ? map.layers.at(-1) : layer; // null is the whole column
        const bottom = layer === null ? map.layers[0] : layer;
        marker.setAttribute("y", y.apply(top) - 1.5);
        marker.setAttribute("height", y.apply(bottom) - y.apply(top) + y.bandwidth + 3);
        resting = map.rows.find((d) => d.place === place && d.layer === layer)?.words || "";
        words.textContent = resting;
      }
    }

    /** All maps in one SVG file. */
    function svg() {
      const parts = [...plots.values()];
      let left = 0;
      let high = 0;
      const root = rasen.svg("svg", {});
      for (const { map, svg: one } of parts) {
        const inner = rasen.svg("g", { transform: `translate(${left} 20)` });
        inner.append(...[...one.cloneNode(true).childNodes].filter((n) => !n.classList?.contains("marker")));
        root.append(rasen.svg("text", { x: left + LEFT, y: 12, fill: "currentColor" }, map.route), inner);
        left += Number(one.getAttribute("width")) + GAP;
        high = Math.max(high, Number(one.getAttribute("height")));
      }
      const bar = legend.querySelector("svg");
      const under = rasen.svg("g", { transform: `translate(0 ${high + 30})` });
      under.append(...[...bar.cloneNode(true).childNodes]);
      root.append(under);
      const [width, height] = [Math.max(left, bar.clientWidth), high + 36 + Number(bar.getAttribute("height"))];
      for (const [name, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, class: "scale" })) root.setAttribute(name, value);
      return rasen.svgOffPage(root);
    }

    return { node, draw, mark, svg };
  };
}
