"use strict";
// A value along routes: the chosen route with its interval, the others of its kind thin beside it.
{
  const WIDE = 100; // times the least value: then the axis is logarithmic

  /**
   * Returns {node, draw({title, label, route, routes: {name: [{position, value, low, high}]}, lines:
   * [{value, text}]}), mark(place), svg}; onpick(place): a point of the chosen route was clicked.
   */
  rasen.routeChart = ({ onpick }) => {
    const node = rasen.el("div", { class: "chart" });
    let marker = null;
    let shown = null;

    async function draw(what) {
      const { Plot } = await rasen.charts();
      const own = what.routes[what.route];
      const steps = what.route.startsWith("step");
      const others = Object.entries(what.routes)
        .filter(([name]) => name !== what.route && name.startsWith("step") === steps)
        .flatMap(([name, rows]) => rows.map((row) => ({ ...row, name })));
      const ends = [...new Map(others.map((row) => [row.name, row])).keys()].map((name) => {
        const rows = others.filter((row) => row.name === name);
        return rows[Math.floor(rows.length / 2)];
      });
      const accent = rasen.colours.of("accent");
      const quiet = rasen.colours.of("quiet");
      const values = [...own, ...others].flatMap((row) => [row.low ?? row.value, row.high ?? row.value]);
      const highest = Math.max(...values.filter((value) => value !== null));
      // A guesser far above all values would press them to the ground: it is named, not drawn.
      const lines = what.lines.filter((line) => line.value <= 2.5 * highest);
      const uppermost = lines.findIndex((line) => line.value === Math.max(...lines.map((one) => one.value)));
      const lowest = Math.min(...values.filter((value) => value !== null), ...lines.map((line) => line.value));
      const wide = lowest > 0 && highest > WIDE * lowest; // many times the least: by factors
      const scale = wide ? Math.log : Number;
      const share = (value) => (scale(value) - scale(lowest)) / (scale(highest) - scale(lowest) || 1);
      const ground = rasen.colours.of("card");
      const plot = Plot.plot({
        width: node.clientWidth || 560,
        height: 220,
        marginLeft: 44, marginRight: 14, marginTop: wide ? 28 : 18, marginBottom: 38,
        style: rasen.chartStyle(),
        x: {
          label: steps ? "training step" : "α, from untrained to trained",
          labelAnchor: "center", labelArrow: "none", type: steps ? "symlog" : "linear", constant: steps ? 10 : undefined,
          ticks: steps ? own.map((row) => row.position).filter((_, i) => i % Math.ceil(own.length / 7) === 0) : 5,
        },
        y: {
          label: what.label, labelArrow: "none", grid: true, nice: true, ticks: 5,
          type: wide ? "log" : "linear", tickFormat: highest >= 1000 ? "~s" : undefined,
        },
        marks: [
          Plot.ruleY(lines, { y: "value", stroke: quiet, strokeDasharray: "2 4" }),
          ...lines.map((line, i) =>
            Plot.text([line], {
              // at the left: there an untrained model stands above both, and its lines come down later
              y: "value", frameAnchor: "left", text: "text", dx: 4, textAnchor: "start",
              dy: i === uppermost || share(line.value) < 0.12 ? -8 : 9,
              fill: quiet, stroke: ground, strokeWidth: 4,
            }),
          ),
          Plot.line(others, { x: "position", y: "value", z: "name", stroke: quiet, strokeOpacity: 0.55, strokeWidth: 1.2 }),
          Plot.text(ends, { x: "position", y: "value", text: "name", dy: -8, fill: quiet, stroke: ground, strokeWidth: 4 }),
          Plot.areaY(own, { x: "position", y1: "low", y2: "high", fill: accent, fillOpacity: 0.16 }),
          Plot.line(own, { x: "position", y: "value", stroke: accent, strokeWidth: 2 }),
          Plot.dot(own, { x: "position", y: "value", fill: accent, r: 3 }),
        ],
      });
      const svg = rasen.named(plot, `${what.title} along ${what.route}`);
      const [x, y] = [plot.scale("x"), plot.scale("y")];
      marker = rasen.svg("circle", { class: "marker", r: 7 });
      svg.append(marker);
      svg.addEventListener("click", (event) => {
        const box = svg.getBoundingClientRect();
        const at = (event.clientX - box.left) * (svg.viewBox.baseVal.width / box.width);
        const far = own.map((row) => Math.abs(x.apply(row.position) - at));
        onpick(far.indexOf(Math.min(...far)));
      });
      shown = { own, x, y };
      node.replaceChildren(svg);
    }

    return {
      node,
      draw,
      mark(place) {
        const row = shown?.own[place];
        if (!row) return;
        marker.setAttribute("cx", shown.x.apply(row.position));
        marker.setAttribute("cy", shown.y.apply(row.value));
      },
      svg: () => rasen.svgText(node.querySelector("svg")),
    };
  };
}
