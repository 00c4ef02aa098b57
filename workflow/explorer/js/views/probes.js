"use strict";
rasen.view({
  name: "probes",
  title: "Probes",
  sentence:
    "What a simple reader can tell from each layer: how well probes find a task’s answer, and how alike the layers are.",
  needs: ["probes"],
  config: ["probes", "tasks", "models"],

  async build(place) {
    const { el, words, state, data } = rasen;
    const NETWORK = "network";
    const table = data.rows(await data.load("probes")).filter((row) => row.metric !== "weight");
    const alike = data.has("similarity") ? data.rows(await data.load("similarity")) : [];
    let drawn = {};

    const { unique } = data;
    const chosen = state.choose;
    const set = (name) => (value) => state.set({ [name]: value });
    const choices = {
      model: rasen.choice("Model", set("model")),
      task: rasen.choice("Task", set("task")),
      metric: rasen.choice("Metric", set("metric")),
      kind: rasen.choice("Probe", set("kind")),
      split: rasen.choice("Split", set("split")),
      route: rasen.choice("Route", set("route")),
    };
    const NAMES = Object.keys(choices);

    /** Rows that are left after each choice; a later choice offers what the earlier ones leave. */
    function choice() {
      let rows = table;
      const now = {};
      for (const name of NAMES) {
        const options = unique(rows, name);
        const otherwise = options.includes("grouped") ? "grouped" : options[0];
        now[name] = chosen(name, options, otherwise);
        choices[name].set(options, now[name]);
        rows = rows.filter((row) => row[name] === now[name]);
      }
      const points = unique(rows, "point");
      return { ...now, rows, points, point: chosen("point", points, points.at(-1)) };
    }

    const slider = rasen.slider("Point", (to) => state.set({ point: choice().points[to] }));
    const profile = el("div", { class: "chart" });
    const key = el("ul", { class: "key" });
    const panel = rasen.panel({
      title: "Layer profile",
      name: "probes",
      svg: () => rasen.svgText(profile.querySelector("svg"), drawn.key),
      rows() {
        const columns = ["point", "position", "layer", "features", "row", "value", "low", "high", "chance"];
        return { columns, rows: choice().rows.map((row) => columns.map((name) => (name === "layer" && row.layer < 0 ? null : row[name]))) };
      },
    });
    panel.body.append(slider.node, profile, key);

    const map = rasen.heatMaps({
      title: "Value",
      onpick: (route, at) => state.set({ point: drawn.points[at] }),
    });
    const mapPanel = rasen.panel({
      title: "Along the route",
      about: "The same probe at every layer and point; layers upward, points to the right. Click a column to see its profile.",
      name: "probes-route",
      svg: map.svg,
      rows: () => {
        const columns = ["point", "position", "layer", "value", "low", "high"];
        const rows = choice().rows.filter((row) => row.features === NETWORK && row.row === "probe");
        return { columns, rows: rows.map((row) => columns.map((name) => row[name])) };
      },
    });
    mapPanel.body.append(map.node);

    const measureChoice = rasen.choice("Measure", set("measure"));
    const square = el("div", { class: "chart" });
    const alikePanel = rasen.panel({
      title: "How alike layers are",
      name: "similarity",
      svg: () => rasen.svgText(square.querySelector("svg")),
      rows: () => {
        const columns = ["point", "layer", "point_2", "layer_2", "measure", "value", "low", "high"];
        return { columns, rows: pairs(choice()).rows.map((row) => columns.map((name) => row[name])) };
      },
    });
    alikePanel.body.append(el("div", { class: "controls" }, measureChoice.node), square);

    place.append(
      el("div", { class: "controls" }, ...NAMES.map((name) => choices[name].node)),
      el("div", { class: "columns" }, el("div", {}, panel.node), el("div", {}, mapPanel.node, alikePanel.node)),
    );

    // --- the profile of one point

    /** A line drawn level over all layers: features without a network, or a chosen layer. */
    const LEVELS = ["log-mel", "log-frequency", "codec tokens"];

    async function drawProfile(now) {
      const { Plot } = await rasen.charts();
      const here = now.rows.filter((row) => row.point === now.point);
      const colours = rasen.colours.lines();
      const accent = rasen.colours.of("accent");
      const quiet = rasen.colours.of("quiet");
      const of = (features, row) =>
        here.filter((one) => one.features === features && one.row === row && one.layer >= 0).sort((a, b) => a.layer - b.layer);
      const main = of(NETWORK, "probe");
      const permuted = of(NETWORK, "permuted");
      const first = now.rows.filter((one) => one.features === NETWORK && one.row === "probe" && one.point === now.points[0]).sort((a, b) => a.layer - b.layer);
      const levels = LEVELS.map((name, i) => ({ name, colour: colours[i + 1], row: here.find((one) => one.features === name && one.row === "probe") })).filter(({ row }) => row);
      const chance = main[0]?.chance ?? null;
      const layers = main.map((row) => row.layer);
      const wide = profile.clientWidth || 560;
      const plot = Plot.plot({
        width: wide, height: Math.min(400, 0.62 * wide + 90),
        marginLeft: 44, marginRight: 14, marginTop: 22, marginBottom: 40,
        style: rasen.chartStyle(),
        x: { label: "layer", labelAnchor: "center", labelArrow: "none", ticks: rasen.ticks(layers.length, wide / Math.max(1, layers.length), 28).map((i) => layers[i]), tickFormat: (d) => String(d), inset: 8 },
        y: { label: now.metric, labelArrow: "none", grid: true, nice: true, zero: true },
        marks: [
          chance === null ? null : Plot.ruleY([chance], { stroke: quiet, strokeDasharray: "2 4" }),
          ...levels.map(({ row, colour }) => Plot.ruleY([row.value], { stroke: colour, strokeWidth: 1.5, strokeDasharray: "7 4" })),
          Plot.line(permuted, { x: "layer", y: "value", stroke: quiet, strokeWidth: 1.5, strokeDasharray: "1 3" }),
          now.point === now.points[0] ? null : Plot.line(first, { x: "layer", y: "value", stroke: quiet, strokeWidth: 1.5 }),
          Plot.areaY(main, { x: "layer", y1: "low", y2: "high", fill: accent, fillOpacity: 0.16 }),
          Plot.line(main, { x: "layer", y: "value", stroke: accent, strokeWidth: 2.2 }),
          Plot.dot(main, { x: "layer", y: "value", fill: accent, r: 3.5 }),
        ],
      });
      profile.replaceChildren(rasen.named(plot, `${now.metric} of ${now.task} by layer at ${now.point}`));
      const item = ({ colour, dash, text }) => {
        const line = rasen.svg("svg", { width: 26, height: 10, "aria-hidden": "true" }, rasen.svg("line", { x1: 0, x2: 26, y1: 5, y2: 5, stroke: colour, "stroke-width": 2.2, "stroke-dasharray": dash }));
        return el("li", {}, line, text);
      };
      const best = main.reduce((one, row) => (one && one.value >= row.value ? one : row), null);
      drawn.key = [
        { colour: accent, dash: null, text: `${now.point}, with its 95 % interval` },
        ...(now.point === now.points[0] ? [] : [{ colour: quiet, dash: null, text: now.points[0] }]),
        ...levels.map(({ name, colour, row }) => ({ colour, dash: "7 4", text: `${name}, no network: ${words.number(row.value)}` })),
        ...(permuted.length ? [{ colour: quiet, dash: "1 3", text: "labels permuted" }] : []),
        ...(chance === null ? [] : [{ colour: quiet, dash: "2 4", text: `chance: ${words.number(chance)}` }]),
      ];
      key.replaceChildren(...drawn.key.map(item));
      panel.told(
        best
          ? `${now.task}, ${now.metric} at ${now.point}: highest in layer ${best.layer} (${words.number(best.value)}; ${words.number(best.low)} to ${words.number(best.high)}). Choosing the highest layer after the fact flatters it a little.`
          : `${now.task} at ${now.point}: no layers were probed.`,
      );
    }

    // --- all points

    async function drawMap(now) {
      const rows = now.rows.filter((row) => row.features === NETWORK && row.row === "probe" && row.layer >= 0);
      const at = new Map(now.points.map((name, index) => [name, index]));
      drawn.points = now.points;
      mapPanel.node.hidden = now.points.length < 2;
      if (mapPanel.node.hidden) return;
      const values = rows.map((row) => row.value);
      const chance = rows[0]?.chance ?? null;
      const alone = LEVELS.map((name) => now.rows.find((row) => row.features === name && row.row === "probe")).filter(Boolean);
      const all = [...values, chance, ...alone.map((row) => row.value)].filter((value) => value !== null);
      const [low, high] = [Math.min(...all), Math.max(...all)];
      const points = now.points.map((point) => ({ point, position: rows.find((row) => row.point === point).position }));
      await map.draw(
        [
          {
            route: now.route,
            points,
            layers: unique(rows, "layer").sort((a, b) => a - b),
            rows: rows.map((row) => ({
              place: at.get(row.point), layer: row.layer, value: row.value, strong: false,
              words: `${row.point}, layer ${row.layer}: ${words.number(row.value)} (${words.number(row.low)} to ${words.number(row.high)})`,
            })),
          },
        ],
        {
          low, high: high > low ? high : low + 1,
          marks: [
            ...(chance === null ? [] : [{ value: chance, text: "chance" }]),
            ...alone.map((row) => ({ value: row.value, text: row.features })),
          ],
        },
      );
    }

    // --- layers with layers

    /** Pairs of layers of the point, or of the nearest kind that was compared. */
    function pairs(now) {
      const ofModel = alike.filter((row) => row.model === now.model && row.model_2 === now.model && row.point === row.point_2);
      const measures = unique(ofModel, "measure");
      const measure = chosen("measure", measures);
      const ofMeasure = ofModel.filter((row) => row.measure === measure);
      const point = unique(ofMeasure, "point").includes(now.point) ? now.point : null;
      return { measures, measure, point, rows: ofMeasure.filter((row) => row.point === point) };
    }

    async function drawSquare(now) {
      const { Plot, d3 } = await rasen.charts();
      const { measures, measure, point, rows } = pairs(now);
      alikePanel.node.hidden = !measures.length;
      if (!measures.length) return;
      measureChoice.set(measures, measure);
      if (point === null) {
        square.replaceChildren();
        alikePanel.told(`Layers were not compared at ${now.point}.`);
        return;
      }
      alikePanel.told(`${measure === "cka" ? "Linear CKA, debiased," : measure.toUpperCase()} of every two layers at ${point}: 1 is alike up to rotation, 0 unrelated.`);
      const both = rows.flatMap((row) => [row, { ...row, layer: row.layer_2, layer_2: row.layer }]);
      const layers = unique(both, "layer").sort((a, b) => a - b);
      const full = [...both, ...layers.map((layer) => ({ layer, layer_2: layer, value: 1 }))];
      const side = Math.min(440, square.clientWidth || 440);
      const size = (side - 40) / layers.length;
      const ticks = rasen.ticks(layers.length, size, 20).map((i) => layers[i]);
      const colour = d3.scaleLinear(d3.quantize(d3.interpolateNumber(Math.min(0, ...full.map((row) => row.value)), 1), 5), rasen.colours.heat()).interpolate(d3.interpolateLab);
      const plot = Plot.plot({
        width: side, height: side, marginLeft: 34, marginTop: 4, marginRight: 6, marginBottom: 36,
        style: rasen.chartStyle(),
        x: { type: "band", domain: layers, padding: 0.04, label: "layer", labelAnchor: "center", labelArrow: "none", ticks, tickSize: 0 },
        y: { type: "band", domain: [...layers].reverse(), padding: 0.04, label: null, ticks, tickSize: 0 },
        marks: [
          Plot.cell(full, { x: "layer", y: "layer_2", fill: (d) => colour(d.value), rx: 2, title: (d) => `layers ${d.layer} and ${d.layer_2}: ${words.number(d.value)}` }),
          size > 34 ? Plot.text(full, { x: "layer", y: "layer_2", text: (d) => d.value.toFixed(2), fill: (d) => (d3.lab(colour(d.value)).l > 58 ? "#15181b" : "#ffffff") }) : null,
        ],
      });
      square.replaceChildren(rasen.named(plot, `Similarity of layers at ${point}`));
    }

    async function show() {
      const now = choice();
      const { position } = now.rows.find((row) => row.point === now.point);
      slider.set(now.points.length, now.points.indexOf(now.point), `${now.point} (${words.position(now.route, position)})`);
      const still = JSON.stringify([...NAMES.map((name) => now[name]), rasen.colours.isDark(), place.clientWidth]);
      await drawProfile(now);
      if (drawn.still !== still) await drawMap(now);
      drawn.still = still;
      map.mark(now.route, now.points.indexOf(now.point), null);
      await drawSquare(now);
      [panel, mapPanel, alikePanel].forEach((one) => one.refresh());
    }

    rasen.colours.onchange(show);
    let wide = 0;
    new ResizeObserver(([entry]) => {
      const now = Math.round(entry.contentRect.width);
      if (wide && now !== wide) requestAnimationFrame(show);
      wide = now;
    }).observe(place);
    return { show };
  },
});
