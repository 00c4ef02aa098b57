"use strict";
// The page of one feature: what it means, its numbers, its partners and its top clips.
{
  const UNIT = 640; // width of a saved picture

  const share = (value, digits = 1) => (value === null ? "–" : `${(100 * value).toFixed(digits)} %`);

  /** The part of the clips that a feature is in: the last that begins no later. */
  function partOf(here, feature) {
    const parts = rasen.data.parts("feature_clips").filter((part) =>
      Object.entries(here).every(([name, value]) => String(part[name]) === String(value)),
    );
    return parts.filter((part) => part.first <= feature).at(-1);
  }

  /** Rows of one feature in a part, each with its levels and tokens. */
  function clipsOf(part, feature) {
    const { columns, sizes } = part;
    const found = [];
    let begin = 0;
    for (let row = 0; row < sizes.rows; row++) {
      const count = columns.count[row];
      if (columns.feature[row] === feature)
        found.push({
          clip: columns.clip[row],
          value: columns.value[row],
          mean: columns.mean[row],
          frame: columns.frame[row],
          first: columns.first_frame[row],
          each: columns.frames_each[row],
          levels: columns.activation.subarray(begin, begin + count),
          tokens: sizes.tokens
            ? Array.from({ length: count }, (_, place) => rasen.valueOf(columns.tokens, begin + place) ?? "")
            : null,
        });
      begin += count;
    }
    return found;
  }

  function meaning(of, row, values) {
    const at = (name) => of.at(name, row);
    const sentences = [];
    if (of.confirmed(row))
      sentences.push(`It fires for “${of.label(row)}” (${at("column")}), which held on clips that chose nothing: AUROC ${rasen.words.number(at("auroc_hard"))} among the nearest clips without it.`);
    else if (of.labelled(row))
      sentences.push(`Its best label is “${of.label(row)}” (${at("column")}), which was not confirmed on other clips.`);
    else if (values.reads === "text" && at("words"))
      sentences.push(`It is strongest at ${rasen.words.list(at("words").split(" · ").map((word) => `“${word.trim()}”`))}.`);
    else sentences.push("No label of the clips tells when it fires.");
    if (at("granularity")) sentences.push(`Granularity: ${at("granularity")}; language: ${at("language") ?? "–"}.`);
    if (at("confirmed_frame")) sentences.push(`In time it follows “${at("label_frame")}”.`);
    return sentences.join(" ");
  }

  function partner(here, name, other, number, overlap) {
    const { el } = rasen;
    if (!other) return null;
    const words = name === "earlier" ? "At the point before" : "At the point after";
    if (number < 0) return el("li", {}, `${words}, ${other}: no partner.`);
    const link = el(
      "a",
      {
        href: `#${new URLSearchParams({ view: "features", ...here, point: other, feature: number })}`,
        class: "partner",
      },
      `feature ${number}`,
    );
    return el("li", {}, `${words}, ${other}: `, link, ` (both fire in ${share(overlap, 0)} of the frames in which either does)`);
  }

  /** How a clip is heard: a note of the page, a part of a recording, or what sae_clips exports. */
  function sound(row, clip, from, ontime) {
    if (row.pitch >= 0 && row.instrument) {
      if (!rasen.notes.has(from.stimuli, row.instrument)) return null;
      const told = rasen.el("span", { class: "quiet", role: "status" });
      const play = async () => {
        told.textContent = await rasen.notes.play(from.stimuli, row.instrument, row.pitch, ontime);
      };
      return rasen.el(
        "div",
        { class: "player" },
        told,
        rasen.el("button", { type: "button", class: "play", "aria-label": `Play ${row.name}`, onclick: play }, "Play"),
      );
    }
    const folder = ["sae", from.model, from.point, `layer-${String(from.layer).padStart(2, "0")}`, from.stimuli];
    const exported = `../${folder.map(encodeURIComponent).join("/")}/${String(clip).padStart(6, "0")}.flac`;
    return rasen.player({
      name: row.name,
      src: row.src || exported,
      start: row.src ? (row.start ?? 0) : 0,
      seconds: row.seconds ?? 0,
      ontime,
      cure: row.src ? undefined : "Clips that are rendered are kept by: snakemake sae_clips",
    }).node;
  }

  rasen.featurePage = async (place, { table, of, row, here, current }) => {
    const { el, words } = rasen;
    const at = (name) => of.at(name, row);
    const number = at("feature");
    const title = el("h3", {}, `Feature ${number}`, of.name(row) ? ` · ${of.name(row)}` : "");
    const facts = [
      ["in clips", `${share(at("clip_rate"))} (${at("clips") ?? 0})`],
      ["in frames", share(at("rate"), 2)],
      ["greatest activation", words.number(at("maximum"))],
      ["mean where it fires", words.number(at("mean"))],
      ["AUROC, nearest clips", words.number(of.score(row, "auroc_hard"))],
      ["average precision", words.number(of.score(row, "ap"))],
      ["corrected p", words.number(of.score(row, "p_corrected"))],
      ["purity", words.number(of.score(row, "purity"))],
    ];
    const panel = rasen.panel({
      title: "Top clips",
      name: `feature-${number}`,
      svg: () => together(),
      rows: () => ({
        columns: ["clip", "time (s) or token", "level (255: the maximum)"],
        rows: clips.flatMap((one) =>
          [...one.levels].map((level, index) => [one.name, one.tokens ? one.tokens[index] : Number((index * one.step).toFixed(3)), level]),
        ),
      }),
    });
    let clips = [];
    place.replaceChildren(
      el(
        "section",
        { class: "card" },
        title,
        el("p", {}, meaning(of, row, table.values)),
        el("dl", { class: "pairs" }, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
        el(
          "ul",
          { class: "partners" },
          partner(here, "earlier", table.values.earlier, at("earlier"), at("earlier_overlap")),
          partner(here, "later", table.values.later, at("later"), at("later_overlap")),
        ),
      ),
      panel.node,
    );
    const part = at("kept") ? partOf(here, number) : null;
    if (!part) {
      panel.told(
        at("clips")
          ? "Clips are kept of features that fire in neither too few nor too many clips (sae.label.rate); this one is not among them."
          : "This feature is dead: it fires in no clip.",
      );
      return;
    }
    const [data, sheet] = await Promise.all([
      rasen.data.load("feature_clips", part),
      rasen.data.load("clips", { stimuli: table.values.stimuli }),
    ]);
    if (!current()) return;
    const rate = data.values.frame_rate;
    clips = clipsOf(data, number).map((one) => {
      const info = Object.fromEntries(Object.keys(sheet.columns).map((name) => [name, rasen.valueOf(sheet.columns[name], one.clip)]));
      const step = rate ? one.each / rate : 0;
      return { ...one, name: info.name, info, step };
    });
    panel.told(
      table.values.reads === "text"
        ? "The texts in which it is most active on average, around the strongest token; the deeper the colour, the stronger."
        : "The different clips in which it is most active on average; the height is its activation, full where it reaches its maximum anywhere.",
    );
    panel.body.append(...clips.map(block));
    panel.refresh();

    function block(one) {
      const about = one.info.about ?? "";
      const head = el("div", { class: "clip-head" }, el("b", {}, one.name), el("span", { class: "quiet" }, about));
      if (one.tokens) return el("article", { class: "clip" }, head, rasen.tokens(one.tokens, one.levels));
      const svg = rasen.svg("svg", { role: "img", "aria-label": `Activation over ${one.name}, strongest at ${words.number(((one.frame - one.first) / one.each) * one.step)} s` });
      const line = el("i", { class: "playhead", "aria-hidden": "true" });
      const stage = el("div", { class: "trace-stage" }, svg, line);
      const length = one.levels.length * one.step;
      line.hidden = true;
      const from = { ...here, stimuli: table.values.stimuli };
      const player = sound(one.info, one.clip, from, (time) => {
        line.hidden = false;
        line.style.left = `${Math.min(100, (100 * time) / length)}%`;
      });
      if (player) head.append(player);
      rasen.onwidth(stage, (width) => {
        svg.replaceChildren();
        const high = rasen.drawTrace(svg, one.levels, length, width);
        svg.setAttribute("viewBox", `0 0 ${width} ${high}`);
        svg.setAttribute("height", high);
        svg.setAttribute("width", width);
      });
      return el("article", { class: "clip" }, head, stage);
    }

    /** All clips as one picture of a file. */
    function together() {
      const svg = rasen.svg("svg", { class: "saved" });
      let top = 22;
      svg.append(rasen.svg("text", { class: "axis", x: 0, y: 14 }, title.textContent));
      for (const one of clips) {
        svg.append(rasen.svg("text", { class: "axis", x: 0, y: top + 12 }, one.name));
        const group = rasen.svg("g", { transform: `translate(0 ${top + 16})` });
        if (one.tokens) group.append(rasen.svg("text", { class: "axis", y: 12 }, one.tokens.join("")));
        else rasen.drawTrace(group, one.levels, one.levels.length * one.step, UNIT);
        svg.append(group);
        top += 84;
      }
      svg.setAttribute("viewBox", `0 0 ${UNIT} ${top}`);
      panel.body.append(svg); // styles are computed in the page alone
      const text = rasen.svgText(svg);
      svg.remove();
      return text;
    }
  };
}
