"use strict";
{
  const PARTS = { features: "features", clips: "feature_clips" };
  const UNLABELLED = "unlabelled";
  const SHOW = [
    { value: "all", text: "all features" },
    { value: "confirmed", text: "confirmed" },
    { value: "labelled", text: "with a label" },
    { value: "kept", text: "with clips" },
    { value: "partner", text: "with a partner" },
    { value: "alone", text: "without a partner" },
  ];

  /** "pitch 91" -> "pitch 91 (G6)" */
  const named = (label) => label.replace(/^pitch (\d+)$/, (all, key) => `${all} (${rasen.words.note(Number(key))})`);

  /** Columns of one table as plain functions of the row. */
  function reader(table) {
    const { columns } = table;
    const at = (name, row) => rasen.valueOf(columns[name], row);
    const labelled = (row) => {
      const label = at("label", row);
      return Boolean(label) && label !== UNLABELLED;
    };
    return {
      at,
      count: table.sizes.rows,
      labelled,
      confirmed: (row) => Boolean(columns.confirmed[row]),
      partner: (row) => columns.earlier[row] >= 0 || columns.later[row] >= 0,
      label: (row) => named(at("label", row)),
      name: (row) => (labelled(row) ? named(at("label", row)) : at("words", row) || null),
      // what an unlabelled feature scores is the best of many chances
      score: (row, name) => (labelled(row) ? at(name, row) : null),
    };
  }

  /** Rows as they lead: confirmed, labelled, others; in each those with clips, then by the label. */
  function leading(of) {
    const rank = Float64Array.from({ length: of.count }, (_, row) => {
      const group = 2 * (of.confirmed(row) ? 2 : of.labelled(row) ? 1 : 0) + of.at("kept", row);
      return 10 * group + (of.score(row, "auroc_hard") ?? 0) + (of.score(row, "ap") ?? 0) + 1e-3 * Math.min(1, of.at("clip_rate", row) ?? 0);
    });
    return Array.from({ length: of.count }, (_, row) => row).sort((a, b) => rank[b] - rank[a] || a - b);
  }

  rasen.view({
    name: "features",
    title: "SAE features",
    sentence:
      "What the features of sparse autoencoders respond to: confirmed labels come first, the others after them; " +
      "each with the clips in which it is most active.",
    needs: ["features", "clips"],
    config: ["sae"],

    async build(place) {
      const { el, words } = rasen;
      const parts = rasen.data.parts(PARTS.features);
      const unique = (name, among) => [...new Set(among.map((part) => String(part[name])))];
      const pick = (name) => (value) => rasen.state.set({ [name]: value, feature: null });
      const model = rasen.choice("Model", pick("model"));
      const point = rasen.choice("Point", pick("point"));
      const layer = rasen.choice("Layer", pick("layer"));
      const shownOnly = rasen.choice("Show", (value) => rasen.state.set({ show: value }));
      const column = rasen.choice("Labels of", (value) => rasen.state.set({ column: value }));
      const listPlace = el("div", { class: "feature-list" });
      const page = el("div", { class: "feature-page" });
      const note = el("p", { class: "quiet" });
      place.append(
        el("div", { class: "controls" }, model.node, point.node, layer.node, shownOnly.node, column.node),
        el("div", { class: "columns features" }, el("div", {}, listPlace, note), page),
      );
      let key = "";
      let filter = "";
      let labelled = []; // columns that labels are of
      let table = null;
      let of = null;
      let order = [];
      let list = null;
      let opened = "";
      let latest = 0; // number of the latest call of show

      const here = () => ({ model: model.select.value, point: point.select.value, layer: layer.select.value });

      function choose() {
        const models = unique("model", parts);
        const one = models.includes(rasen.state.get("model")) ? rasen.state.get("model") : models[0];
        model.set(models, one);
        const points = unique("point", parts.filter((part) => part.model === one));
        const at = points.includes(rasen.state.get("point")) ? rasen.state.get("point") : points.at(-1);
        point.set(points, at);
        const layers = unique("layer", parts.filter((part) => part.model === one && part.point === at));
        layer.set(layers, layers.includes(rasen.state.get("layer")) ? rasen.state.get("layer") : layers[0]);
      }

      function chosenRows() {
        const wanted = column.select.value;
        const passes = {
          all: () => true,
          confirmed: of.confirmed,
          labelled: of.labelled,
          kept: (row) => of.at("kept", row),
          partner: of.partner,
          alone: (row) => !of.partner(row),
        }[shownOnly.select.value];
        return order.filter((row) => passes(row) && (!wanted || of.at("column", row) === wanted));
      }

      function fillList() {
        const rows = chosenRows();
        // arrays, not functions of the row: a column is sorted at the first click as fast as later
        const value = (name) => rows.map((row) => of.at(name, row));
        const score = (name) => rows.map((row) => of.score(row, name));
        const about = rasen.data.about(PARTS.features);
        const text = table.values.reads === "text";
        const status = (row) => (of.confirmed(row) ? "confirmed" : of.labelled(row) ? "labelled" : null);
        const columns = [
          { name: "Feature", values: value("feature"), about: about.feature, show: String, sought: true },
          { name: text ? "Words or label" : "Label", values: rows.map(of.name), about: about.label, wide: true },
          ...(text ? [{ name: "Granularity", values: value("granularity"), about: about.granularity }, { name: "Language", values: value("language"), about: about.language }] : []),
          { name: "Status", values: rows.map(status), about: about.confirmed },
          { name: "AUROC", values: score("auroc_hard"), about: about.auroc_hard },
          { name: "AP", values: score("ap"), about: `${about.ap}; of features without a label it is left out` },
          { name: "In clips", values: value("clip_rate"), about: about.clip_rate, show: (share) => (share === null ? "–" : `${(100 * share).toFixed(1)} %`) },
          { name: "Maximum", values: value("maximum"), about: about.maximum },
        ];
        list = rasen.table(columns, {
          rows: rows.length,
          name: "features",
          search: true,
          pick: (index) => rasen.state.set({ feature: of.at("feature", rows[index]) }),
        });
        list.rows = rows;
        listPlace.replaceChildren(list.node);
        note.textContent =
          "Order: confirmed labels, other labels, no label; in each those that have clips, then by AUROC and AP of the label. " +
          "A feature without a label has no AP here: the best of many labels by chance can reach 1.";
      }

      function fillTable(loaded) {
        table = loaded;
        of = reader(table);
        order = leading(of);
        labelled = [...new Set(Array.from({ length: of.count }, (_, row) => of.at("column", row)))].filter(Boolean).sort();
      }

      return {
        async show() {
          const call = ++latest;
          choose();
          const at = here();
          const next = JSON.stringify(at);
          if (next !== key) {
            const loaded = await rasen.data.load(PARTS.features, at);
            if (call !== latest) return; // another point was chosen while this one was read
            key = next;
            opened = filter = "";
            fillTable(loaded);
          }
          shownOnly.set(SHOW, rasen.state.choose("show", SHOW.map(({ value }) => value)));
          column.set([{ value: "", text: "anything" }, ...labelled], rasen.state.choose("column", labelled, ""));
          const number = Number(rasen.state.get("feature", of.at("feature", order[0])));
          const row = order.find((one) => of.at("feature", one) === number);
          const wanted = `${key} ${shownOnly.select.value} ${column.select.value}`;
          const asked = `${key} ${number}`;
          if (wanted !== filter) fillList();
          if (wanted !== filter || opened !== asked) list.select(list.rows.indexOf(row));
          filter = wanted;
          if (opened === asked) return;
          opened = asked;
          if (row === undefined) {
            page.replaceChildren(el("p", { class: "told" }, "This address names a feature that is not here; pick one in the list."));
            return;
          }
          await rasen.featurePage(page, { table, of, row, here: here(), current: () => opened === `${key} ${number}` });
        },
      };
    },
  });
}
