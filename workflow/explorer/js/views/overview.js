"use strict";
rasen.view({
  name: "overview",
  title: "Overview",
  sentence: "What was found and what was run: models, their routes through weight space, the jobs and their time.",
  needs: ["overview"],
  config: ["models", "routes", "seed"],

  async build(place) {
    const { el, words } = rasen;
    const { values } = await rasen.data.load("overview");
    const points = rasen.data.has("points") ? rasen.data.rows(await rasen.data.load("points")) : [];

    const fact = (number, what) =>
      el("div", { class: "fact" }, el("b", {}, String(number)), el("span", {}, what));

    function routesOf(model) {
      const routes = new Map();
      for (const row of points.filter((one) => one.model === model.name)) {
        if (!routes.has(row.route)) routes.set(row.route, []);
        routes.get(row.route).push(row);
      }
      return el(
        "article",
        { class: "card" },
        el("h3", {}, model.name),
        el("p", { class: "quiet" }, `family ${model.family}`, model.weights ? `, from ${model.weights}` : ""),
        ...[...routes].map(([route, rows]) =>
          el(
            "section",
            { class: "route" },
            el("h4", {}, route, el("span", { class: "quiet" }, ` ${rows.length} points`)),
            el(
              "ol",
              { class: "points" },
              ...rows.map((row) =>
                el("li", { title: words.position(route, row.position) }, row.point),
              ),
            ),
          ),
        ),
      );
    }

    /** A text with what stands between backticks as code; without any it is code as a whole. */
    const coded = (text) =>
      (text.includes("`") ? text.split("`") : ["", text]).map((part, i) => (i % 2 ? el("code", {}, part) : part));

    function absent() {
      if (!values.absent.length) return null;
      return el(
        "section",
        { class: "card" },
        el("h3", {}, "Not in these results"),
        el(
          "dl",
          { class: "absent" },
          ...values.absent.flatMap((one) => [
            el("dt", {}, one.title),
            el("dd", {}, "set ", ...coded(one.setting), ", then run ", ...coded(one.command)),
          ]),
        ),
      );
    }

    function found() {
      if (!values.findings.length) return null;
      const line = (view, { lead, text, state }) =>
        el("li", {}, el("a", { href: `#${new URLSearchParams({ view, ...state })}` }, lead), `: ${text}.`);
      return el(
        "section",
        { class: "card findings" },
        el("h3", {}, "What was found"),
        el("p", { class: "quiet" }, "Follow a link to see it, and how sure it is."),
        ...values.findings.flatMap((one) => [
          el("h4", {}, one.title),
          el("ul", {}, ...one.lines.map((each) => line(one.view, each))),
        ]),
      );
    }

    const BARS = 12;

    function bars(rows, width) {
      const HEIGHT = 32;
      const most = Math.max(...rows.map((row) => row.seconds));
      const svg = rasen.svg("svg", {
        class: "bars", width, height: HEIGHT * rows.length, viewBox: `0 0 ${width} ${HEIGHT * rows.length}`,
        role: "img", "aria-label": "Time of the jobs of each rule, as bars",
      });
      rows.forEach((row, place) => {
        const y = HEIGHT * place;
        svg.append(
          rasen.svg("text", { x: 0, y: y + 14 }, row.rule),
          rasen.svg("text", { x: width, y: y + 14, class: "aside" }, `${row.jobs} × · ${words.time(row.seconds)}`),
          rasen.svg("rect", { x: 0, y: y + 20, width: Math.max(2, (width * row.seconds) / most), height: 4, rx: 2 }),
        );
      });
      return svg;
    }

    async function jobs() {
      if (!rasen.data.has("jobs")) return [null, null];
      const table = await rasen.data.load("jobs");
      const rows = rasen.data.rows(table);
      const all = rows.reduce((sum, row) => sum + row.jobs, 0);
      const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
      const panel = rasen.panel({
        title: "Jobs",
        about: `${all} jobs whose time was measured took ${words.time(seconds)} (those that ran side by side are added up).${rows.length > BARS ? ` The ${BARS} rules that took longest:` : ""}`,
        name: "jobs",
        svg: () => rasen.svgText(panel.body.querySelector("svg")),
        rows: () => ({
          columns: ["rule", "jobs", "seconds", "longest (s)", "memory (MB)"],
          rows: rows.map((row) => [row.rule, row.jobs, row.seconds, row.longest, row.memory]),
        }),
      });
      // Drawn as wide as there is room, so that its type keeps the page's size.
      new ResizeObserver(() => panel.body.replaceChildren(bars(rows.slice(0, BARS), panel.body.clientWidth))).observe(panel.body);
      return [panel.node, fact(all, `measured jobs, ${words.time(seconds)}`)];
    }

    const [jobPanel, jobFact] = await jobs();
    const different = new Set(points.map((row) => `${row.model} ${row.point}`)).size;
    const list = (title, rows, key) =>
      el(
        "section",
        { class: "card" },
        el("h3", {}, title),
        el(
          "dl",
          { class: "pairs" },
          ...rows.flatMap((row) => [el("dt", {}, row.what), el("dd", {}, row[key])]),
        ),
      );
    place.append(
      el(
        "div",
        { class: "facts" },
        fact(values.models.length, values.models.length === 1 ? "model" : "models"),
        fact(new Set(points.map((row) => `${row.model} ${row.route}`)).size, "routes"),
        fact(different, "different points"),
        jobFact,
      ),
      el(
        "div",
        { class: "columns" },
        el("div", {}, found(), absent()),
        el("div", {}, ...values.models.map(routesOf), jobPanel, list("Seeds", values.seeds, "seed"), list("Versions", values.versions, "version")),
      ),
    );
    return {};
  },
});
