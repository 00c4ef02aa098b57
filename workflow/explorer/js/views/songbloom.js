"use strict";
{
  const MEASURES = {
    loss: "Loss",
    lm: "Loss of the sketch (nats a token)",
    flow: "Loss of the sound (mean square error)",
    lr: "Learning rate",
    norm: "Norm of the gradient",
  };

  /** Losses of all runs as a chart. */
  async function losses(place) {
    const { Plot } = await rasen.charts();
    const rows = rasen.data.rows(await rasen.data.load("training"));
    const measure = rasen.choice("Measure", (value) => rasen.state.set({ loss: value }));
    const panel = rasen.panel({
      title: "Training, step by step",
      about: "Lines: on the songs of training, step by step; points: on songs that are held out.",
      name: "training",
      wide: true,
      svg: () => rasen.svgText(panel.body.querySelector("svg.chart"), key),
      rows: () => {
        const columns = ["run", "step", "split", ...Object.keys(MEASURES)];
        return { columns, rows: rows.map((row) => columns.map((name) => row[name])) };
      },
    });
    const chart = rasen.el("div", {});
    let key = []; // what the lines are, as the legend has it
    panel.body.append(rasen.el("div", { class: "controls" }, measure.node), chart);
    place.append(panel.node);

    function draw() {
      const shown = rasen.state.get("loss", "loss");
      const name = Object.hasOwn(MEASURES, shown) ? shown : "loss";
      measure.set(Object.entries(MEASURES).map(([value, text]) => ({ value, text })), name);
      const there = rows.filter((row) => row[name] !== null);
      const runs = [...new Set(there.map((row) => row.run))];
      const one = runs.length < 2;
      const stroke = one ? "var(--accent)" : "run";
      const marks = [
        Plot.lineY(there.filter((row) => row.split === "train"), { x: "step", y: name, stroke, strokeWidth: 1.2, strokeOpacity: 0.75 }),
        Plot.lineY(there.filter((row) => row.split === "valid"), { x: "step", y: name, stroke: one ? "var(--warn)" : "run", strokeDasharray: "4 3" }),
        Plot.dot(there.filter((row) => row.split === "valid"), {
          x: "step", y: name, fill: one ? "var(--warn)" : "run", r: 3.5,
          tip: true, title: (row) => `${row.run}, step ${row.step}, held out: ${rasen.words.number(row[name])}`,
        }),
      ];
      const width = Math.max(280, chart.clientWidth || panel.body.clientWidth || 640);
      const figure = Plot.plot({
        className: "chart", width, height: 330, marginLeft: 52, marginBottom: 44, grid: true,
        style: { background: "none", color: "inherit", fontSize: "12px" },
        x: { label: "training step" }, y: { label: MEASURES[name], zero: false },
        color: one ? undefined : { domain: runs, legend: false },
        ariaLabel: `${MEASURES[name]} over training steps`,
        marks,
      });
      const heldOut = there.some((row) => row.split === "valid");
      key = one
        ? [{ colour: rasen.colours.of("accent"), text: "training" }, ...(heldOut ? [{ colour: rasen.colours.of("warn"), dash: "4 3", text: "held out" }] : [])]
        : runs.map((run) => ({ colour: figure.scale("color").apply(run), text: run }));
      chart.replaceChildren(
        rasen.el("p", { class: "legend" }, ...key.map(({ colour, text }) => {
          const mark = rasen.el("i", { "aria-hidden": "true" });
          mark.style.background = colour;
          return rasen.el("span", {}, mark, text);
        })),
        figure,
      );
    }

    rasen.onwidth(panel.body, draw);
    return draw;
  }

  /** Songs that were made, with a player. */
  async function samples(place) {
    const rows = rasen.data.rows(await rasen.data.load("generated"));
    const list = rasen.table(
      [
        { name: "Song", values: (row) => rows[row].song, wide: true },
        { name: "Run", values: (row) => rows[row].run },
        { name: "Step", values: (row) => rows[row].step },
        { name: "Seed", values: (row) => rows[row].seed, show: String },
        { name: "Length", values: (row) => rows[row].seconds, show: rasen.clock },
        { name: "Ended", values: (row) => (rows[row].ended ? "by itself" : "cut"), about: "whether it came to its end by itself" },
        { name: "Work (s per s)", values: (row) => rows[row].rtf, about: rasen.data.about("generated").rtf },
      ],
      { rows: rows.length, name: "songs that were made", search: rows.length > 8, pick: open },
    );
    const player = rasen.player({ name: "the sample" });
    const told = rasen.el("p", { class: "quiet" }, "Pick a song, then play it.");
    const panel = rasen.panel({
      title: "Songs that it made",
      about: "From the lyrics and ten seconds of the reference of each row of the sheet.",
      name: "generated",
      wide: true,
      rows: () => {
        const columns = ["run", "step", "song", "seed", "seconds", "ended", "rtf", "src"];
        return { columns, rows: rows.map((row) => columns.map((name) => row[name])) };
      },
    });
    panel.body.append(list.node, rasen.el("div", { class: "sample" }, told, player.node));
    place.append(panel.node);

    function open(row) {
      const one = rows[row];
      told.textContent = `${one.song}, ${one.run} at step ${one.step}, seed ${one.seed}`;
      player.pause();
      player.seek(0);
      player.open(one.src, told.textContent, one.seconds);
    }
    if (rows.length) {
      open(0);
      list.select(0);
    }
  }

  /** Scores of our systems beside the paper's. */
  rasen.scores = async (place) => {
    const { Plot } = await rasen.charts();
    const table = await rasen.data.load("scores");
    const all = rasen.data.rows(table).filter((row) => !row.song);
    const known = table.values.metrics.filter(({ name }) => all.some((row) => row.metric === name && !row.paper));
    const metric = rasen.choice("Score", (value) => rasen.state.set({ score: value }));
    const panel = rasen.panel({
      title: "Scores beside the paper's",
      about:
        "Filled: measured here, with a 95 % interval where songs can be drawn anew; open: the paper's rows. They are not comparable digit by digit: " +
        "the paper names neither its recogniser nor its embedding and detector.",
      name: "scores",
      wide: true,
      svg: () => rasen.svgText(panel.body.querySelector("svg.chart")),
      rows: () => {
        const columns = ["system", "metric", "value", "low", "high", "n", "paper", "detail"];
        const shares = new Set(table.values.metrics.filter(({ percent }) => percent).map(({ name }) => name));
        const unit = (row) => (shares.has(row.metric) ? "share" : null);
        return { columns: [...columns, "unit"], rows: all.map((row) => [...columns.map((name) => row[name]), unit(row)]) };
      },
    });
    const chart = rasen.el("div", {});
    panel.body.append(rasen.el("div", { class: known.length > 1 ? "controls" : null }, metric.node), chart, rasen.el("p", { class: "quiet" }, `Rows of the paper: ${table.values.source}.`));
    place.append(panel.node);

    function draw() {
      const wanted = rasen.state.get("score");
      const one = known.find(({ name }) => name === wanted) || known[0];
      if (!one) {
        chart.replaceChildren(rasen.el("p", { class: "quiet" }, "No system has a score."));
        return;
      }
      metric.set(known.map(({ name, title }) => ({ value: name, text: title })), one.name);
      const factor = one.percent ? 100 : 1;
      const rows = all
        .filter((row) => row.metric === one.name && row.value !== null)
        .map((row) => ({ ...row, name: row.paper ? `${row.system} (paper)` : row.system, value: factor * row.value, low: row.low === null ? null : factor * row.low, high: row.high === null ? null : factor * row.high }))
        .sort((a, b) => a.value - b.value);
      const width = Math.max(280, panel.body.clientWidth || 640);
      const longest = Math.max(...rows.map((row) => row.name.length));
      const room = Math.min(14 + 6.8 * longest, width / 1.8);
      const letters = Math.floor((room - 12) / 6.8);
      const short = (name) => (name.length > letters ? `${name.slice(0, letters - 1)}…` : name);
      const figure = Plot.plot({
        className: "chart", width, height: 60 + 24 * rows.length, marginBottom: 44,
        marginTop: 8, marginLeft: room, marginRight: 36, grid: true,
        style: { background: "none", color: "inherit", fontSize: "12px" },
        x: { label: `${one.title}${one.percent ? " (%)" : ""}`, nice: true },
        y: { label: null, domain: rows.map((row) => row.name), tickFormat: short },
        ariaLabel: `${one.title} of ${rows.length} systems`,
        marks: [
          Plot.ruleY(rows.filter((row) => row.low !== null), { y: "name", x1: "low", x2: "high", stroke: "var(--accent)", strokeWidth: 2 }),
          Plot.dot(rows, {
            x: "value", y: "name", r: 5, stroke: (row) => (row.paper ? "var(--quiet)" : "var(--accent)"),
            fill: (row) => (row.paper ? "var(--card)" : "var(--accent)"),
            tip: true, title: (row) => `${row.name}: ${rasen.words.number(row.value)}${row.detail ? `\n${row.detail}` : ""}`,
          }),
        ],
      });
      const told = rows.filter((row) => !row.paper && row.detail);
      chart.replaceChildren(figure, ...told.map((row) => rasen.el("p", { class: "quiet" }, `${row.name}: ${row.detail}.`)));
    }

    rasen.onwidth(panel.body, draw);
    return draw;
  };

  rasen.view({
    name: "songbloom",
    title: "SongBloom",
    sentence: "Training runs of SongBloom: their losses, the songs that they make, and scores beside the paper's.",
    needs: ["training"],
    config: ["songbloom", "scores"],

    async build(place) {
      const stack = rasen.el("div", { class: "stack" });
      place.append(stack);
      const draws = [await losses(stack)];
      if (rasen.data.has("generated")) await samples(stack);
      if (rasen.data.has("scores")) draws.push(await rasen.scores(stack));
      return { show: () => draws.forEach((draw) => draw()) };
    },
  });

  rasen.view({
    name: "scores",
    title: "Scores",
    sentence: "Songs of any system, scored as SongBloom's paper does: ours with intervals, beside the paper's rows.",
    needs: ["scores"],
    config: ["scores"],

    async build(place) {
      const draw = await rasen.scores(place);
      return { show: draw };
    },
  });
}
