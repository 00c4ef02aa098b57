"use strict";
// Observable Plot and d3, loaded when a view first draws a chart, and what all charts have in common.
{
  rasen.charts = async () => {
    await rasen.script("vendor/d3-7.9.0.js");
    await rasen.script("vendor/plot-0.6.17.js");
    return { Plot: window.Plot, d3: window.d3 };
  };

  /** Options of every plot: the page's type and colours. */
  rasen.chartStyle = () => ({
    background: "none",
    color: rasen.colours.of("quiet"),
    fontFamily: "inherit",
    fontSize: "12px",
    overflow: "visible",
  });

  /** The plot as one picture with a name, for those who do not see it; its table is behind it. */
  rasen.named = (plot, name) => {
    const svg = plot.matches("svg") ? plot : plot.querySelector("svg");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", name);
    return svg;
  };

  /** Of these places those that labels of this width fit beside each other; first and last stay. */
  rasen.ticks = (count, step, wide) => {
    const every = Math.max(1, Math.ceil(wide / step));
    const last = count - 1;
    return Array.from({ length: count }, (_, place) => place).filter(
      (place) => place === last || (place % every === 0 && last - place >= every),
    );
  };

  /**
   * Labels below a line, in rows such that no label touches another or the tick of another: each
   * begins at its tick, at the right end it stands before it. [{at, text}] with left end and row; a character is 6.6 wide at 12 px.
   */
  rasen.labelRows = (labels, width) => {
    const placed = [];
    for (const label of [...labels].sort((a, b) => b.at - a.at)) {
      const wide = 6.6 * label.text.length;
      const left = label.at + 4 + wide > width ? Math.max(0, label.at - 4 - wide) : label.at + 4;
      const end = Math.max(label.at, left + wide) + 8;
      let row = 0;
      while (placed.some((other) => other.row >= row && Math.min(other.at, other.left) < end)) row++;
      placed.push({ ...label, left, row });
    }
    return placed;
  };
}
