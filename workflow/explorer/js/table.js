"use strict";
// A table of any length: only the rows in sight are in the page. Sorted by a click on a column's
// name, searched by what is typed.
{
  const HEIGHT = 32; // of a row, as in style.css
  const MORE = 6; // rows beyond those in sight

  const missing = (value) => value === null || value === undefined || Number.isNaN(value);

  /** What rows are sorted by, as numbers: a text is its rank among all texts. */
  function keysOf(values) {
    if (!values.some((value) => typeof value === "string")) return Float64Array.from(values, Number);
    const ranks = new Map([...new Set(values)].sort().map((value, rank) => [value, rank]));
    return Float64Array.from(values, (value) => ranks.get(value));
  }

  /** The first place in a sorted array with a key of at least (beyond: more than) this. */
  function bound(sorted, key, beyond) {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < key || (beyond && sorted[middle] === key)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Places of the values in order; equal ones stay as they are, missing ones are last. Numbers are
   * sorted without a function that compares (ten times as fast), then each row is put to its key.
   */
  function sortedPlaces(values, down) {
    const keys = keysOf(values);
    const there = [];
    const absent = [];
    values.forEach((value, row) => (missing(value) ? absent : there).push(row));
    const sorted = Float64Array.from(there, (row) => keys[row]).sort();
    const taken = new Uint32Array(sorted.length);
    const places = new Array(there.length);
    for (const row of there) {
      const first = bound(sorted, keys[row], false);
      const from = down ? sorted.length - bound(sorted, keys[row], true) : first;
      places[from + taken[first]++] = row;
    }
    return places.concat(absent);
  }

  /**
   * columns: [{name, about?, values: array or (row) => value, show?: (value, row) => text or node, wide?,
   * sought?: whether its numbers are searched as well}]
   * options: {rows: number of them, name, search: bool, pick?: (row) => ..., order?: rows as sorted at first}
   * Returns {node, select(row), search(text), sort(column, down)}.
   */
  rasen.table = (columns, { rows, name, search = rows > 20, pick, order: first }) => {
    const at = (column, row) =>
      typeof column.values === "function" ? column.values(row) : column.values[row];
    const numeric = columns.map((column) => {
      for (let row = 0; row < Math.min(rows, 50); row++) {
        const value = at(column, row);
        if (value !== null && value !== undefined) return typeof value === "number";
      }
      return false;
    });
    let order = first ? [...first] : Array.from({ length: rows }, (_, row) => row);
    let shown = order;
    let sorted = { column: null, down: false };
    let chosen = null;
    let texts = null; // of every row, made at the first search

    const body = rasen.el("div", { class: "rows", role: "presentation" });
    const count = rasen.el("span", { class: "quiet", role: "status" });
    const heads = columns.map((column, place) =>
      rasen.el(
        "span",
        { role: "columnheader", class: numeric[place] ? "num" : null, "aria-sort": "none" },
        rasen.el(
          "button",
          { type: "button", title: column.about, onclick: () => sort(place) },
          column.name,
        ),
      ),
    );
    const template = columns.map(({ wide }) => (wide ? "minmax(14rem, 3fr)" : "minmax(7rem, 1fr)"));
    const grid = rasen.el(
      "div",
      { class: "grid", role: pick ? "grid" : "table", "aria-label": name, "aria-rowcount": rows + 1 },
      rasen.el("div", { class: "head", role: "row" }, ...heads),
      body,
    );
    grid.style.setProperty("--columns", template.join(" "));
    grid.style.setProperty("--least", `${columns.reduce((sum, c) => sum + (c.wide ? 14 : 7), 0)}rem`);
    const scroll = rasen.el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": `${name}, rows` },
      grid,
    );
    const field = rasen.el("input", {
      type: "search",
      placeholder: "Search",
      "aria-label": `Search in ${name}`,
      oninput: (event) => find(event.target.value),
    });
    const bar = rasen.el("div", { class: "bar" }, search ? field : null, count);
    const node = rasen.el("div", { class: "table" }, bar, scroll);

    // What is searched: the texts of a row, or its numbers where it has no text.
    const worded = columns.filter((column, place) => !numeric[place] || column.sought);
    const sought = worded.length ? worded : columns;
    const text = (row) => {
      let words = "";
      for (const column of sought) words += `${at(column, row) ?? ""} `;
      return words.toLowerCase();
    };

    const everyText = () => (texts ??= Array.from({ length: rows }, (_, row) => text(row)));

    function find(words) {
      const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
      if (wanted.length) everyText();
      shown = wanted.length
        ? order.filter((row) => wanted.every((word) => texts[row].includes(word)))
        : order;
      scroll.scrollTop = 0;
      draw();
    }

    function sort(place, down) {
      const again = sorted.column === place;
      sorted = { column: place, down: down ?? (again ? !sorted.down : numeric[place]) };
      const column = columns[place];
      order = sortedPlaces(
        Array.from({ length: rows }, (_, row) => at(column, row)),
        sorted.down,
      );
      heads.forEach((head, index) =>
        head.setAttribute(
          "aria-sort",
          index !== place ? "none" : sorted.down ? "descending" : "ascending",
        ),
      );
      find(field.value);
    }

    function cell(column, place, row) {
      const value = at(column, row);
      const content = column.show
        ? column.show(value, row)
        : typeof value === "number"
          ? rasen.words.number(value)
          : (value ?? "–");
      return rasen.el(
        "span",
        { role: pick ? "gridcell" : "cell", class: numeric[place] ? "num" : null, title: typeof value === "string" ? value : null },
        content,
      );
    }

    function draw() {
      const high = scroll.clientHeight || 320;
      const from = Math.max(0, Math.floor(scroll.scrollTop / HEIGHT) - MORE);
      const to = Math.min(shown.length, from + Math.ceil(high / HEIGHT) + 2 * MORE);
      const drawn = shown.slice(from, to);
      const active = body.contains(document.activeElement) ? document.activeElement.dataset.row : null;
      // one row is a stop of the Tab key; the arrow keys go to the others
      const stop = [Number(active ?? NaN), chosen, drawn[0]].find((row) => drawn.includes(row));
      body.style.height = `${shown.length * HEIGHT}px`;
      body.replaceChildren(
        ...drawn.map((row, index) => {
          const line = rasen.el(
            "div",
            {
              role: "row",
              class: "row",
              "aria-rowindex": from + index + 2,
              "aria-selected": pick ? String(row === chosen) : null,
              tabindex: pick ? (row === stop ? "0" : "-1") : null,
              onclick: pick ? () => choose(row) : null,
              onkeydown: pick ? (event) => key(event, from + index) : null,
            },
            ...columns.map((column, place) => cell(column, place, row)),
          );
          line.style.top = `${(from + index) * HEIGHT}px`;
          line.dataset.row = row;
          return line;
        }),
      );
      if (active !== null) body.querySelector(`[data-row="${active}"]`)?.focus({ preventScroll: true });
      count.textContent =
        shown.length === rows ? `${rows} rows` : `${shown.length} of ${rows} rows`;
    }

    function choose(row) {
      chosen = row;
      draw();
      pick(row);
    }

    function key(event, place) {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose(shown[place]);
        focus(place);
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        focus(place + (event.key === "ArrowDown" ? 1 : -1));
      }
    }

    function focus(place) {
      if (place < 0 || place >= shown.length) return;
      const top = place * HEIGHT;
      if (top < scroll.scrollTop) scroll.scrollTop = top;
      const bottom = top + 2 * HEIGHT - scroll.clientHeight;
      if (bottom > scroll.scrollTop) scroll.scrollTop = bottom;
      draw();
      body.querySelector(`[data-row="${shown[place]}"]`)?.focus();
    }

    scroll.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
    new ResizeObserver(() => draw()).observe(scroll);
    draw();
    // Made before the first search, when there is nothing else to do.
    if (search) window.requestIdleCallback?.(everyText, { timeout: 2000 });
    return {
      node,
      sort,
      search(words) {
        field.value = words;
        find(words);
      },
      /** Mark a row and bring it into sight; -1 marks none. */
      select(row) {
        chosen = row;
        const top = shown.indexOf(row) * HEIGHT;
        const high = scroll.clientHeight;
        if (high && top >= 0 && (top < scroll.scrollTop || top + 2 * HEIGHT > scroll.scrollTop + high)) scroll.scrollTop = Math.max(0, top - high / 2);
        draw();
      },
    };
  };
}
