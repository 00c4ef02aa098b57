"use strict";
// Where one value stands: beside what chance and smooth paths reach, and features without a network.
{
  /**
   * value: {value, low, high}; bands: [{low, high, text}]; marks: [{value, text}]; name: of the picture
   * Returns an <svg> as wide as `width`.
   */
  rasen.standing = ({ value, bands, marks, name, width }) => {
    const all = [
      value.high, value.value,
      ...bands.flatMap((band) => [band.low, band.high]),
      ...marks.map((mark) => mark.value),
    ].filter((number) => number !== null && !Number.isNaN(number));
    const most = Math.max(...all) * 1.06;
    const x = (number) => (width * number) / most;
    const labels = rasen.labelRows(
      [
        ...bands.map((band) => ({ at: x(band.low), text: band.text, band })),
        ...marks.map((mark) => ({ at: x(mark.value), text: mark.text })),
      ],
      width,
    );
    const high = 34 + 17 * Math.max(1, ...labels.map((label) => label.row + 1));
    const svg = rasen.svg("svg", {
      class: "standing", width, height: high, viewBox: `0 0 ${width} ${high}`, role: "img", "aria-label": name,
    });
    svg.append(rasen.svg("line", { x1: 0, x2: width, y1: 20, y2: 20, class: "axis" }));
    for (const label of labels) {
      const { band } = label;
      const y = 46 + 17 * label.row;
      if (band)
        svg.append(
          rasen.svg("rect", {
            x: x(band.low), width: Math.max(3, x(band.high) - x(band.low)), y: 13, height: 14, class: "band",
          }),
        );
      svg.append(
        rasen.svg("line", { x1: label.at, x2: label.at, y1: band ? 27 : 13, y2: y, class: "tick" }),
        rasen.svg("text", { x: label.left, y }, label.text),
      );
    }
    if (value.low !== null)
      svg.append(rasen.svg("line", { x1: x(value.low), x2: x(value.high), y1: 20, y2: 20, class: "interval" }));
    svg.append(rasen.svg("circle", { cx: x(value.value), cy: 20, r: 6, class: "value" }));
    return svg;
  };
}
