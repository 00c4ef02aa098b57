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
   * Labels below a line, in rows so that none overlap: [{at, text}] with the left end and the row of
   * each label; a character is 6.3 wide at 12 px.
   */
  rasen.labelRows = (labels, width) => {
    const ends = [];
    return [...labels]
      .sort((a, b) => a.at - b.at)
      .map((label) => {
        const wide = 6.3 * label.text.length;
        const left = Math.max(0, Math.min(width - wide, label.at - wide / 2));
        let row = ends.findIndex((end) => end + 10 <= left);
        if (row < 0) row = ends.length;
        ends[row] = left + wide;
        return { ...label, left, row };
      });
  };
}
