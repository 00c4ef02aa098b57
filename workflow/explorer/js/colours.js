"use strict";
// Colours as sRGB texts, so that a saved picture has those of the page.
{
  /** OKLCH to #rrggbb; chroma is lowered until the colour is one that screens have. */
  function oklch(lightness, chroma, hue) {
    for (let c = chroma; ; c -= 0.005) {
      const rgb = linear(lightness, c, hue);
      if (c <= 0 || rgb.every((value) => value >= -1e-4 && value <= 1.0001)) return hex(rgb);
    }
  }

  function linear(lightness, chroma, hue) {
    const a = chroma * Math.cos((hue * Math.PI) / 180);
    const b = chroma * Math.sin((hue * Math.PI) / 180);
    const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
    const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
    const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
    return [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ];
  }

  function hex(rgb) {
    const byte = (value) => {
      const v = Math.min(1, Math.max(0, value));
      const s = v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055;
      return Math.round(255 * s).toString(16).padStart(2, "0");
    };
    return `#${rgb.map(byte).join("")}`;
  }

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const printing = matchMedia("print");

  rasen.colours = {
    isDark: () => dark.matches && !printing.matches,

    /**
     * Twelve hues round the circle, one lightness: no class vanishes on either ground, and equal
     * steps of pitch are equal steps of colour (OKLCH).
     */
    pitchClasses() {
      const [lightness, chroma] = rasen.colours.isDark() ? [0.76, 0.135] : [0.6, 0.155];
      return Array.from({ length: 12 }, (_, k) => oklch(lightness, chroma, 25 + 30 * k));
    },

    /** From little to much; little is close to the ground, much stands out. */
    heat: () =>
      rasen.colours.isDark()
        ? [[0.3, 0.02, 230], [0.45, 0.08, 220], [0.64, 0.11, 190], [0.82, 0.13, 150], [0.95, 0.1, 105]].map((c) => oklch(...c))
        : [[0.95, 0.02, 150], [0.84, 0.07, 175], [0.66, 0.1, 205], [0.47, 0.11, 240], [0.3, 0.1, 275]].map((c) => oklch(...c)),

    /** Colours of a few lines: told apart by hue and by lightness. */
    lines: () =>
      (rasen.colours.isDark()
        ? [[0.8, 0.1, 200], [0.76, 0.13, 55], [0.72, 0.14, 320], [0.86, 0.12, 125], [0.68, 0.12, 265], [0.78, 0.13, 20]]
        : [[0.5, 0.09, 205], [0.6, 0.14, 50], [0.52, 0.17, 330], [0.6, 0.13, 140], [0.44, 0.14, 270], [0.53, 0.17, 25]]
      ).map((c) => oklch(...c)),

    /** The value of a variable of style.css. */
    of: (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim(),

    onchange(listener) {
      dark.addEventListener("change", listener);
      printing.addEventListener("change", listener);
    },
  };
}
