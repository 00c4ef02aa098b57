"use strict";
// Numbers and names in words.
{
  const NOTES = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

  rasen.words = {
    pitchClasses: NOTES,

    /** 60 -> C4 */
    note: (pitch) => `${NOTES[((pitch % 12) + 12) % 12]}${Math.floor(pitch / 12) - 1}`,

    /** A measured value, three digits that count. */
    number(value) {
      if (value === null || value === undefined || Number.isNaN(value)) return "–";
      if (value === 0) return "0";
      const size = Math.abs(value);
      if (size >= 1e6 || size < 1e-4) return value.toExponential(1);
      if (Number.isInteger(value)) return String(value);
      return String(Number(value.toPrecision(3)));
    },

    /** Seconds as people say them. */
    time(seconds) {
      if (seconds < 60) return `${rasen.words.number(seconds)} s`;
      if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
      return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
    },

    /** Position on a route: alpha, or the training step. */
    position: (route, value) =>
      route.startsWith("step")
        ? `step ${rasen.words.number(value)}`
        : `α = ${Number(value).toFixed(2)}`,

    /** A few words of a list: "a, b and c". */
    list: (items) =>
      items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`,
  };
}
