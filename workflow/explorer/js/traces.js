"use strict";
// The activation of a feature over the time of a clip: an area over seconds, or coloured tokens.
{
  const HIGH = 44;
  const AXIS = 16;
  const FULL = 255;
  const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300];

  /** Call draw(width) when an element gets another width; not within its layout, which would loop. */
  rasen.onwidth = (node, draw) => {
    let width = 0;
    new ResizeObserver(() =>
      requestAnimationFrame(() => {
        const now = node.clientWidth;
        if (!now || Math.abs(now - width) < 2) return;
        width = now;
        draw(now);
      }),
    ).observe(node);
  };

  /** levels: bytes; seconds: that they last. Draws a clip into a <g> or <svg> of this width. */
  rasen.drawTrace = (node, levels, seconds, width) => {
    const parts = [];
    const scale = width / levels.length;
    const top = (level) => (2 + (HIGH - 2) * (1 - level / FULL)).toFixed(1);
    let path = `M0 ${HIGH}`;
    levels.forEach((level, place) => {
      path += `V${top(level)}H${((place + 1) * scale).toFixed(1)}`;
    });
    parts.push(rasen.svg("path", { class: "trace", d: `${path}V${HIGH}Z` }));
    parts.push(rasen.svg("line", { class: "tick", x1: 0, x2: width, y1: HIGH, y2: HIGH }));
    const step = STEPS.find((one) => (one * width) / seconds >= 56) || STEPS.at(-1);
    for (let at = 0; seconds && at < seconds - step / 4; at += step) {
      const x = (at * width) / seconds;
      parts.push(rasen.svg("line", { class: "tick", x1: x, x2: x, y1: HIGH, y2: HIGH + 3 }));
      if (x < width - 30)
        parts.push(rasen.svg("text", { class: "axis", x: x + 2, y: HIGH + 13 }, `${Number(at.toFixed(1))} s`));
    }
    node.append(...parts);
    return HIGH + AXIS;
  };

  /** tokens: texts; levels: of each. Text whose ground says how strongly the feature fires. */
  rasen.tokens = (tokens, levels) =>
    rasen.el(
      "p",
      { class: "tokens", dir: "auto" },
      ...tokens.map((token, place) => {
        const share = levels[place] / FULL;
        const node = rasen.el("span", { title: `${Math.round(100 * share)} % of the maximum` }, token.replaceAll("\n", "↵ "));
        if (share) {
          node.classList.add("fires");
          node.style.setProperty("--share", `${Math.round(10 + 60 * share)}%`);
        }
        return node;
      }),
    );
}
