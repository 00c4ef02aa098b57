"use strict";
// Files that the page gives: CSV, SVG.
{
  /** One field, quoted where it must be; a text that a spreadsheet would run is kept as text. */
  function field(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    let text = String(value);
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

  /** An <svg> of the page as a file of its own: with the sizes, colours and type that it shows. */
  rasen.svgText = (svg) => {
    const copy = svg.cloneNode(true);
    const [from, to] = [svg, copy].map((root) => [root, ...root.querySelectorAll("*")]);
    from.forEach((node, place) => {
      const shown = getComputedStyle(node);
      for (const name of ["fill", "stroke", "color", "font-size", "font-family", "font-weight", "stroke-width", "opacity", "text-anchor"])
        to[place].style.setProperty(name, shown.getPropertyValue(name));
    });
    copy.style.background = getComputedStyle(document.body).backgroundColor;
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
