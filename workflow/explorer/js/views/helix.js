"use strict";
rasen.view({
  name: "helix",
  title: "Helix",
  sentence:
    "Notes of the keyboard as one layer places them, with the helix fitted to them: where a model knows octaves, notes of one name stand above each other.",
  needs: ["helix_fits"],
  config: ["helix", "models", "stimuli", "routes"],

  async build(place) {
    const { el, words, state, data } = rasen;
    const ALONE = "baseline"; // the route of features without a network
    const ALL = "all instruments";
    const fits = data.rows(await data.load("helix_fits"));
    const perplexity = data.has("perplexity") ? data.rows(await data.load("perplexity")) : [];
    const guessers = data.has("guessers") ? data.rows(await data.load("guessers")) : [];
    const models = [...new Set(fits.map((row) => row.model))];
    let shown = {}; // what is drawn now
    let latest = 0; // number of the latest call of show
    let walking = null;

    // --- what is chosen, from the address or what is there

    const { unique } = data;
    const chosen = state.choose;

    function choice() {
      const model = chosen("model", models);
      const ofModel = fits.filter((row) => row.model === model);
      const stimuli = chosen("stimuli", unique(ofModel, "stimuli"));
      const ofSet = ofModel.filter((row) => row.stimuli === stimuli);
      const routes = unique(ofSet, "route");
      const route = chosen("route", routes);
      const rows = ofSet.filter((row) => row.route === route);
      const layers = unique(rows, "layer").sort((a, b) => a - b);
      const points = unique(rows, route === ALONE ? "features" : "point");
      const last = rows.filter((row) => row.point === rows.at(-1).point);
      const best = last.reduce((one, row) => ((row.pooled ?? -1) > (one.pooled ?? -1) ? row : one), last[0]);
      const layer = chosen("layer", layers, best.layer);
      const name = chosen(route === ALONE ? "features" : "point", points, points.at(-1));
      const part = data
        .parts("helix_notes")
        .find((of) => of.model === model && of.stimuli === stimuli && of.route === route && of.layer === layer);
      return { model, stimuli, route, routes, rows, ofModel, ofSet, layers, layer, points, name, place: points.indexOf(name), part };
    }

    const rowOf = (now) =>
      now.rows.find((row) => row.layer === now.layer && (row.route === ALONE ? row.features : row.point) === now.name);

    const pointKey = (now) => (now.route === ALONE ? "features" : "point");

    // --- controls

    const set = (name) => (value) => {
      stop();
      state.set({ [name]: value });
    };
    const modelChoice = rasen.choice("Model", set("model"));
    const setChoice = rasen.choice("Notes", set("stimuli"));
    const routeChoice = rasen.choice("Route", set("route"));
    const instrumentChoice = rasen.choice("Instrument", set("instrument"));
    const pointSlider = rasen.slider("Point", (to) => {
      stop();
      const now = choice();
      state.set({ [pointKey(now)]: now.points[to] });
    });
    const layerSlider = rasen.slider("Layer", (to) => {
      stop();
      state.set({ layer: choice().layers[to] });
    });
    const walkButton = el("button", { type: "button", class: "main", onclick: () => (walking ? stop() : walk()) }, "Walk the route");

    // --- the picture

    const told = el("p", { class: "verdict", role: "status" });
    const strip = el("div", { class: "strip" });
    const chips = el("div", { class: "chips", role: "group", "aria-label": "Show one pitch class" });
    let lit = null;

    const canvas = rasen.helixCanvas({
      onnote(note, pick) {
        const { frame, part } = shown;
        const instrument = part.values.instruments[frame.owner[note]];
        const name = words.note(frame.pitch[note]);
        if (pick) play(instrument, frame.pitch[note], name);
        return frame.many ? `${name}, ${instrument}` : name;
      },
      oncamera: (camera) =>
        state.set({ turn: camera.turn.toFixed(2), tilt: camera.tilt.toFixed(2), zoom: camera.zoom.toFixed(2) }),
    });
    const heard = el("p", { class: "quiet", role: "status" });
    const panel = rasen.panel({
      title: "Notes and curve",
      about: "",
      name: "helix",
      svg: () => canvas.svg(title()),
      rows: noteRows,
    });
    panel.body.append(
      canvas.node,
      chips,
      el(
        "p",
        { class: "quiet", id: "helix-keys" },
        "Click a note to hear it. Drag or arrow keys turn the helix; after a click the wheel, + and − zoom, 0 resets; J and K go from note to note.",
      ),
      heard,
    );
    const maps = rasen.heatMaps({
      title: "Helicality",
      strongly: "an octave was found",
      onpick(route, at, layer) {
        stop();
        const points = unique(choice().ofSet.filter((row) => row.route === route), "point");
        state.set({ route, point: points[at], layer });
      },
    });
    const mapPanel = rasen.panel({
      title: "Helicality by layer and point",
      name: "helicality",
      svg: maps.svg,
      rows: fitRows,
    });
    mapPanel.body.append(maps.node);
    const line = rasen.routeChart({
      onpick(at) {
        stop();
        const now = choice();
        const points = shown.line.names;
        if (now.route !== ALONE) state.set({ point: points[at] });
      },
    });
    const linePanel = rasen.panel({
      title: "Perplexity along the route",
      name: "perplexity",
      svg: line.svg,
      rows: perplexityRows,
    });
    linePanel.body.append(line.node);

    const sliders = el("div", { class: "sliders" }, pointSlider.node, layerSlider.node, walkButton);
    place.append(
      el("div", { class: "controls" }, modelChoice.node, setChoice.node, routeChoice.node, instrumentChoice.node),
      el(
        "div",
        { class: "columns helix" },
        el("div", {}, panel.node),
        el("div", {}, el("section", { class: "card", "aria-label": "Verdict" }, told, strip), mapPanel.node, linePanel.node),
      ),
    );
    panel.body.prepend(sliders);

    function title() {
      const now = shown.now;
      return `${now.model}, ${now.route}, ${now.name}, layer ${now.layer}, ${shown.instrument}`;
    }

    async function play(instrument, pitch, name) {
      heard.textContent = `${name}: ${await rasen.notes.play(shown.now.stimuli, instrument, pitch)}.`;
    }

    function drawChips() {
      const colours = rasen.colours.pitchClasses();
      chips.replaceChildren(
        ...words.pitchClasses.map((name, k) => {
          const dot = el("i", {});
          dot.style.background = colours[k];
          return el(
            "button",
            {
              type: "button",
              "aria-pressed": String(lit === k),
              "aria-label": `Show ${name} alone`,
              onclick(event) {
                lit = lit === k ? null : k;
                for (const [i, chip] of [...chips.children].entries())
                  chip.setAttribute("aria-pressed", String(lit === i));
                canvas.light(lit);
                event.currentTarget.focus();
              },
            },
            dot,
            name,
          );
        }),
      );
    }

    // --- words

    const measure = () => (shown.instrument === "pooled" ? "pooled" : "helicality");
    const bounds = (row) => (measure() === "pooled" ? [row.pooled_low, row.pooled_high] : [row.low, row.high]);

    function aloneRows(now) {
      return now.ofModel.filter((row) => row.route === ALONE && row.stimuli === now.stimuli);
    }

    function drawStrip(now, row) {
      const value = row[measure()];
      if (value === null) return strip.replaceChildren();
      const [low, high] = bounds(row);
      const bands = [{ low: row.random_mean, high: row.random_95, text: "random order" }];
      if (measure() === "pooled" && row.smooth_95 !== null)
        bands.push({ low: row.smooth_50, high: row.smooth_95, text: "smooth paths" });
      const marks = aloneRows(now)
        .filter((one) => one.features === "log-mel" && one[measure()] !== null)
        .map((one) => ({ value: one[measure()], text: one.features }));
      const interval = low === null ? "" : ` (95 % interval ${words.number(low)} to ${words.number(high)})`;
      const sentence = `Helicality ${words.number(value)}${interval}; keys in random order reach ${words.number(row.random_95)} in one of twenty cases.`;
      strip.replaceChildren(
        el("p", {}, el("b", {}, "Helicality "), el("b", { class: "big" }, words.number(value)), el("span", { class: "quiet" }, `${interval}${measure() === "pooled" ? ", of the instruments’ mean" : `, mean of ${row.instruments} instruments`}`)),
        rasen.standing({
          value: { value, low, high },
          bands: bands.filter((band) => band.low !== null),
          marks,
          name: sentence,
          width: strip.clientWidth || 520,
        }),
      );
    }

    // --- tables behind the pictures

    function noteRows() {
      const { part, now } = shown;
      if (!part) return { columns: ["note"], rows: [] };
      const { instruments, keys } = part.sizes;
      const rows = [];
      for (const one of shown.chosen)
        for (let key = 0; key < keys; key++) {
          const at = (now.place * instruments + one) * keys + key;
          const { pitch, x, y, z } = part.columns;
          rows.push([part.values.instruments[one], words.note(pitch[key]), pitch[key], ...[x, y, z].map((v) => Number(v[at].toFixed(3)))]);
        }
      return { columns: ["instrument", "note", "pitch", "x", "y", "z"], rows };
    }

    function fitRows() {
      const columns = ["route", "point", "position", "layer", "features", "verdict", "helicality", "low", "high", "pooled", "pooled_low", "pooled_high", "octave_q", "order_q", "random_95"];
      return { columns, rows: choice().ofSet.map((row) => columns.map((name) => row[name])) };
    }

    function perplexityRows() {
      const columns = ["route", "point", "position", "group", "perplexity", "low", "high"];
      const { model } = choice();
      return { columns, rows: perplexity.filter((row) => row.model === model).map((row) => columns.map((name) => row[name])) };
    }

    // --- beside it

    const range = (values) => {
      const found = values.filter((value) => value !== null && !Number.isNaN(value));
      return [Math.min(...found), Math.max(...found)];
    };

    async function drawMaps(now) {
      const key = JSON.stringify([now.model, now.stimuli, measure(), rasen.colours.isDark(), maps.node.clientWidth]);
      if (shown.maps !== key) {
        shown.maps = key;
        const rows = now.ofSet.filter((row) => row.route !== ALONE);
        const alone = aloneRows(now).filter((row) => row[measure()] !== null);
        const random = rows[0];
        const values = rows.map((row) => row[measure()]);
        const [low, high] = range([...values, random?.random_mean, ...alone.map((row) => row[measure()])]);
        const routes = unique(rows, "route").map((route) => {
          const of = rows.filter((row) => row.route === route);
          const points = [...new Map(of.map((row) => [row.point, row])).values()];
          const at = new Map(points.map((row, index) => [row.point, index]));
          return {
            route,
            points: points.map(({ point, position }) => ({ point, position })),
            layers: unique(of, "layer").sort((a, b) => a - b),
            rows: of.map((row) => ({
              place: at.get(row.point),
              layer: row.layer,
              value: row[measure()],
              strong: row.verdict === "octave",
              words: `${route}, ${row.point}, layer ${row.layer}: ${words.number(row[measure()])} (${row.verdict})`,
            })),
          };
        });
        const marks = [
          { value: random?.random_95, text: "95 % of random order" },
          ...alone.map((row) => ({ value: row[measure()], text: row.features })),
        ].filter((mark) => mark.value !== null && mark.value !== undefined);
        mapPanel.told(
          `${measure() === "pooled" ? "Of the instruments’ mean" : "Mean over instruments"}: 1 / the mean squared distance of notes from the best helix (1/3: no helix explains anything). Layers upward, points to the right; click a cell to go there.`,
        );
        await maps.draw(routes, { low, high: high > low ? high : low + 1, marks });
        mapPanel.refresh();
      }
      maps.mark(shown.now.route, shown.now.place, shown.now.layer); // it may have moved meanwhile
    }

    async function drawLine(now) {
      const rows = perplexity.filter((row) => row.model === now.model && row.group === "mean");
      const routes = {};
      for (const row of rows) (routes[row.route] ||= []).push({ ...row, value: row.perplexity });
      linePanel.node.hidden = !routes[now.route];
      if (linePanel.node.hidden) return;
      const key = JSON.stringify([now.model, now.route, rasen.colours.isDark(), line.node.clientWidth]);
      if (shown.lineKey !== key) {
        shown.lineKey = key;
        shown.line = { names: routes[now.route].map((row) => row.point) };
        const lines = guessers
          .filter((row) => row.model === now.model && row.group === "mean")
          .map((row) => ({ value: row.perplexity, text: `${row.guesser} guesser` }));
        const named = lines.map(({ value, text }) => `${text} ${words.number(value)}`);
        linePanel.told(
          `Among how many equally likely tokens the model seems to choose, on held-out clips: lower is better. Band: 95 % interval over clips.${named.length ? ` Without context: ${words.list(named)}.` : ""}`,
        );
        await line.draw({ title: "Perplexity", label: "perplexity", route: now.route, routes, lines });
        linePanel.refresh();
      }
      line.mark(shown.line.names.indexOf(shown.now.name));
    }

    // --- all together

    function look(part, chosenOnes) {
      return {
        extent: rasen.extent(part, chosenOnes.slice(0, 8)),
        colours: rasen.colours.pitchClasses(),
        ink: rasen.colours.of("ink"),
        quiet: rasen.colours.of("quiet"),
        ground: rasen.colours.of("card"),
        lit,
      };
    }

    /** As the address says; a link that is opened here may say something new. */
    function aim() {
      const asked = ["turn", "tilt", "zoom"].map((name) => [name, Number(state.get(name, NaN))]);
      const camera = asked.filter(([, value]) => Number.isFinite(value));
      if (String(camera) !== shown.camera) canvas.aim(Object.fromEntries(camera));
      shown.camera = String(camera);
    }

    async function show() {
      const call = ++latest;
      aim();
      const now = choice();
      const part = now.part ? await data.load("helix_notes", now.part) : null;
      if (call !== latest) return;
      const names = part ? part.values.instruments : ["pooled"];
      const options = part && names.length > 1 ? [...names.slice(0, 1), ALL, ...names.slice(1)] : names;
      const instrument = chosen("instrument", options);
      const chosenOnes = instrument === ALL ? names.map((_, i) => i).filter((i) => names[i] !== "pooled") : [names.indexOf(instrument)];
      const curveOf = instrument === ALL ? 0 : chosenOnes[0];
      modelChoice.set(models, now.model);
      setChoice.set(unique(now.ofModel, "stimuli"), now.stimuli);
      routeChoice.set(now.routes.map((route) => ({ value: route, text: route === ALONE ? "no network" : route })), now.route);
      instrumentChoice.set(options.map((name) => ({ value: name, text: name === "pooled" ? "pooled (their mean)" : name })), instrument);
      const row = rowOf(now);
      const at = now.route === ALONE || row.position === null ? now.name : `${now.name} (${words.position(now.route, row.position)})`;
      pointSlider.set(now.points.length, now.place, at);
      layerSlider.set(now.layers.length, now.layers.indexOf(now.layer), now.route === ALONE ? "none" : `${now.layer} of ${now.layers.at(-1)}`);
      walkButton.disabled = now.points.length < 2 || now.route === ALONE;
      Object.assign(shown, { now, part, instrument, chosen: chosenOnes });

      told.textContent = rasen.verdict(row);
      told.dataset.verdict = row.verdict;
      drawStrip(now, row);
      const what = now.route === ALONE ? `${now.name} of the notes, no network` : `${now.model}, layer ${now.layer}`;
      const lines = instrument === ALL ? "The curve is that of their mean." : "Lines lead from each note to its place on the curve.";
      panel.told(`${what}; ${now.stimuli}, ${instrument}. ${lines}`);
      if (part) {
        const frame = rasen.frameOf(part, now.place, chosenOnes, curveOf);
        const key = `${JSON.stringify(now.part)} ${instrument}`;
        const fresh = shown.lookKey !== key || shown.dark !== rasen.colours.isDark();
        if (fresh) shown.look = look(part, chosenOnes);
        Object.assign(shown, { lookKey: key, dark: rasen.colours.isDark() });
        if (walking && shown.frame && !fresh) glide(shown.frame, frame);
        else canvas.draw(frame, shown.look);
        shown.frame = frame;
        canvas.canvas.setAttribute("aria-label", `${title()}: ${rasen.verdict(row)}`);
        const looked = `${key} ${now.place}`;
        if (shown.looked !== looked) {
          heard.textContent = "";
          panel.refresh();
        }
        shown.looked = looked;
      } else heard.textContent = "No coordinates of notes here; run: snakemake helix";
      await Promise.all([drawMaps(now), drawLine(now)]);
    }

    // --- the walk: from point to point, the notes gliding between them

    const calm = matchMedia("(prefers-reduced-motion: reduce)");
    const STEP = 900; // ms a point
    const GLIDE = 600; // ms of it in motion

    function glide(from, to) {
      if (calm.matches) return canvas.draw(to, shown.look);
      const begun = performance.now();
      const move = (time) => {
        if (!walking || shown.frame !== to) return canvas.draw(shown.frame, shown.look);
        const share = Math.min(1, Math.max(0, (time - begun) / GLIDE));
        const eased = share * share * (3 - 2 * share);
        canvas.draw(rasen.frameBetween(from, to, eased), shown.look);
        if (share < 1) requestAnimationFrame(move);
      };
      requestAnimationFrame(move);
    }

    function walk() {
      const now = choice();
      const first = now.place === now.points.length - 1 ? 0 : now.place + 1;
      walkButton.textContent = "Stop";
      const step = (to) => {
        if (!place.isConnected) return stop(); // another view is shown
        state.set({ point: now.points[to] });
        walking = setTimeout(() => (to + 1 < now.points.length ? step(to + 1) : stop()), STEP);
      };
      walking = -1;
      step(first);
    }

    function stop() {
      if (!walking) return;
      clearTimeout(walking);
      walking = null;
      walkButton.textContent = "Walk the route";
    }

    drawChips();
    rasen.colours.onchange(() => {
      drawChips();
      show();
    });
    let wide = 0;
    new ResizeObserver(([entry]) => {
      const now = Math.round(entry.contentRect.width);
      if (wide && now !== wide) requestAnimationFrame(show);
      wide = now;
    }).observe(place);
    return { show };
  },
});
