"use strict";
// Numbers and names in words.
{
  const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];

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
      if (seconds < 59.5) return `${rasen.words.number(seconds)} s`;
      const whole = Math.round(seconds);
      if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
      const minutes = Math.round(seconds / 60);
      return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
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
