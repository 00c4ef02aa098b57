"use strict";
// A picture with its words: title, what it shows, and the buttons SVG, CSV and Table.
{
  let number = 0;

  /**
   * title, about: words; name: of saved files; svg: () => text of a file; rows: () => {columns, rows}
   * Returns {node, body, told(about), refresh()}; `body` is where the picture goes.
   */
  rasen.panel = ({ title, about = "", name, svg, rows, wide = false }) => {
    const id = `panel-${++number}`;
    const body = rasen.el("div", { class: "picture" });
    const behind = rasen.el("div", { class: "behind", id: `${id}-table`, hidden: true });
    const words = rasen.el("p", { class: "quiet" }, about);
    const toggle = rasen.el(
      "button",
      { type: "button", "aria-expanded": "false", "aria-controls": `${id}-table`, "aria-label": `Table of ${title}`, onclick: turn },
      "Table",
    );

    function fill() {
      const { columns, rows: lines } = rows();
      const made = columns.map((column, place) => ({
        name: column,
        values: (row) => lines[row][place],
      }));
      behind.replaceChildren(rasen.table(made, { rows: lines.length, name: title }).node);
    }

    function turn() {
      behind.hidden = !behind.hidden;
      toggle.setAttribute("aria-expanded", String(!behind.hidden));
      if (!behind.hidden) fill();
    }

    const button = (label, what, act) =>
      rasen.el("button", { type: "button", "aria-label": `${label} of ${title}`, title: what, onclick: act }, label);
    const node = rasen.el(
      "figure",
      { class: wide ? "panel wide" : "panel", "aria-labelledby": `${id}-title` },
      rasen.el(
        "figcaption",
        {},
        rasen.el("h3", { id: `${id}-title` }, title),
        rasen.el(
          "div",
          { class: "actions" },
          svg ? button("SVG", "Save the picture", () => rasen.save.svg(name, svg())) : null,
          rows ? button("CSV", "Save the numbers", () => rasen.save.csv(name, rows())) : null,
          rows ? toggle : null,
        ),
        words,
      ),
      body,
      behind,
    );
    return {
      node,
      body,
      told: (text) => (words.textContent = text),
      refresh: () => behind.hidden || fill(),
    };
  };
}
