"use strict";
// Files that the page gives: CSV, SVG.
{
  /** One field, quoted where it must be; a text that a spreadsheet would run is kept as text. */
  function field(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    // what was kept in 32 bits has no more digits
    let text = String(typeof value === "number" && Math.fround(value) === value ? Number(value.toPrecision(7)) : value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  function save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  /** {columns: [name], rows: [[value]]} as CSV. */
  rasen.csv = ({ columns, rows }) =>
    [columns, ...rows].map((row) => row.map(field).join(",")).join("\r\n") + "\r\n";

  const KEY = 20; // height of a line of the key

  /** What lines mean, below a picture: [{colour, dash, text}]. */
  function keyed(copy, key, { x, y, width, height }) {
    key.forEach(({ colour, dash, text }, place) => {
      const at = y + height + KEY * (place + 0.5);
      copy.append(
        rasen.svg("line", { x1: x + 4, x2: x + 30, y1: at, y2: at, stroke: colour, "stroke-width": 2.2, "stroke-dasharray": dash }),
        rasen.svg("text", { x: x + 38, y: at + 4, fill: "currentColor", "font-size": 12 }, text),
      );
    });
    const high = height + KEY * key.length;
    copy.setAttribute("viewBox", `${x} ${y} ${width} ${high}`);
    copy.setAttribute("width", width);
    copy.setAttribute("height", high);
  }

  /**
   * An <svg> of the page as a file of its own: with the sizes, colours and type that it shows.
   * key: what the page says in words beside it, [{colour, dash, text}]
   */
  rasen.svgText = (svg, key = []) => {
    const copy = svg.cloneNode(true);
    const [from, to] = [svg, copy].map((root) => [root, ...root.querySelectorAll("*")]);
    from.forEach((node, place) => {
      const shown = getComputedStyle(node);
      for (const name of ["fill", "stroke", "color", "font-size", "font-family", "font-weight", "stroke-width", "opacity", "text-anchor"])
        to[place].style.setProperty(name, shown.getPropertyValue(name));
    });
    // a rectangle, as some programs know no ground of an <svg>
    const { x, y, width, height } = copy.viewBox.baseVal ?? { x: 0, y: 0, width: "100%", height: "100%" };
    if (key.length) keyed(copy, key, svg.viewBox.baseVal);
    const ground = getComputedStyle(document.documentElement).backgroundColor;
    copy.prepend(rasen.svg("rect", { x, y, width: width || "100%", height: height || "100%", style: `fill: ${ground}` }));
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    return new XMLSerializer().serializeToString(copy);
  };

  /** The same for a picture that is not in the page: it is there for a moment, unseen. */
  rasen.svgOffPage = (svg) => {
    const place = rasen.el("div", { class: "unseen", "aria-hidden": "true" });
    place.append(svg);
    document.body.append(place);
    const text = rasen.svgText(svg);
    place.remove();
    return text;
  };

  rasen.save = {
    csv: (name, table) => save(`${name}.csv`, "text/csv", rasen.csv(table)),
    svg: (name, text) => save(`${name}.svg`, "image/svg+xml", text),
  };
}
