"use strict";
// Notes, curve and the lines between them, projected and painted from the back to the front; the same
// drawing goes to a canvas and into an SVG file.
{
  const STEPS = 6; // of the curve, per key
  const FAR = 5; // distance of the eye, in half heights of the picture

  /**
   * What is drawn: arrays of x, y, z, flat.
   * notes, feet (where a note belongs on the curve; NaN without a fit): of `pitch` and `owner` (number
   * of the instrument) each; curve: a line, empty without a fit.
   */
  rasen.frameOf = (part, point, instruments, curveOf) => {
    const { keys, instruments: all } = part.sizes;
    const { pitch, x, y, z } = part.columns;
    const count = instruments.length * keys;
    const frame = {
      notes: new Float32Array(3 * count),
      feet: new Float32Array(3 * count).fill(NaN),
      pitch: new Int32Array(count),
      owner: new Int32Array(count),
      curve: curve(part, point * all + curveOf, keys),
      many: instruments.length > 1,
    };
    instruments.forEach((instrument, place) => {
      const from = (point * all + instrument) * keys;
      for (let key = 0; key < keys; key++) {
        const note = place * keys + key;
        frame.notes.set([x[from + key], y[from + key], z[from + key]], 3 * note);
        frame.pitch[note] = pitch[key];
        frame.owner[note] = instrument;
        if (!frame.many)
          frame.feet.set(onCurve(part, point * all + curveOf, pitch[key] - pitch[0]), 3 * note);
      }
    });
    return frame;
  };

  function onCurve(part, fit, key) {
    const { omega, turn, radius, radius_slope: slope, level, rise } = part.columns;
    const r = radius[fit] + slope[fit] * key;
    const angle = omega[fit] * key + turn[fit];
    return [r * Math.cos(angle), r * Math.sin(angle), level[fit] + rise[fit] * key];
  }

  function curve(part, fit, keys) {
    if (Number.isNaN(part.columns.omega[fit])) return new Float32Array(0);
    const last = part.columns.pitch[keys - 1] - part.columns.pitch[0];
    const line = new Float32Array(3 * (STEPS * last + 1));
    for (let step = 0; step <= STEPS * last; step++)
      line.set(onCurve(part, fit, step / STEPS), 3 * step);
    return line;
  }

  /** Between two frames of the same notes, for a walk; share 0 is the first. */
  rasen.frameBetween = (one, other, share) => {
    const mix = (a, b) => (a.length === b.length ? a.map((value, i) => value + share * (b[i] - value)) : share < 0.5 ? a : b);
    return {
      ...other,
      notes: mix(one.notes, other.notes),
      feet: mix(one.feet, other.feet),
      curve: mix(one.curve, other.curve),
    };
  };

  /** A length that all of these coordinates keep to, a few outliers aside. */
  rasen.extent = (part, instruments) => {
    const { keys, instruments: all, points } = part.sizes;
    const sizes = [];
    for (let point = 0; point < points; point++)
      for (const instrument of instruments)
        for (let key = 0; key < keys; key++) {
          const at = (point * all + instrument) * keys + key;
          const size = Math.max(
            Math.hypot(part.columns.x[at], part.columns.y[at]),
            Math.abs(part.columns.z[at]),
          );
          if (!Number.isNaN(size)) sizes.push(size);
        }
    const sorted = Float32Array.from(sizes).sort();
    return sorted[Math.floor(0.985 * (sorted.length - 1))] || 1;
  };

  /** {project(x, y, z, out)}: places on the picture and how near they are (-1 to 1). */
  function projection(width, height, extent, { turn, tilt, zoom }) {
    const [cosTurn, sinTurn] = [Math.cos(turn), Math.sin(turn)];
    const [cosTilt, sinTilt] = [Math.cos(tilt), Math.sin(tilt)];
    const scale = (0.4 * zoom * Math.min(width, height)) / extent;
    return (x, y, z) => {
      const across = x * cosTurn - y * sinTurn;
      const back = x * sinTurn + y * cosTurn;
      const up = z * cosTilt - back * sinTilt;
      const near = (-back * cosTilt - z * sinTilt) / extent;
      const eye = FAR / (FAR - near);
      return [width / 2 + scale * eye * across, height / 2 - scale * eye * up, near];
    };
  }

  /**
   * Paint a frame with a pen {line, disc, text}; returns the places of the notes on the picture.
   * look: {extent, camera, colours, ink, quiet, ground, lit: pitch class or null, near: note or -1, label}
   */
  rasen.paint = (pen, width, height, frame, look) => {
    const project = projection(width, height, look.extent, look.camera);
    const items = []; // [near, what, number]
    const count = frame.pitch.length;
    const notes = new Float32Array(3 * count);
    for (let note = 0; note < count; note++) {
      const place = project(frame.notes[3 * note], frame.notes[3 * note + 1], frame.notes[3 * note + 2]);
      notes.set(place, 3 * note);
      if (!Number.isNaN(place[0])) items.push([place[2], 0, note]);
    }
    const line = [];
    for (let i = 0; i < frame.curve.length; i += 3)
      line.push(project(frame.curve[i], frame.curve[i + 1], frame.curve[i + 2]));
    for (let i = 1; i < line.length; i++) items.push([(line[i - 1][2] + line[i][2]) / 2 - 0.02, 1, i]);
    if (!frame.many)
      for (let note = 0; note < count; note++) {
        const foot = project(frame.feet[3 * note], frame.feet[3 * note + 1], frame.feet[3 * note + 2]);
        if (!Number.isNaN(foot[0])) items.push([Math.min(foot[2], notes[3 * note + 2]) - 0.01, 2, note, foot]);
      }
    items.sort((a, b) => a[0] - b[0]);

    const top = project(0, 0, look.extent);
    const foot = project(0, 0, -look.extent);
    pen.line(foot[0], foot[1], top[0], top[1], look.quiet, 1, 0.35);
    const size = Math.min(width, height) / 520;
    for (const [near, what, number, place] of items) {
      const shade = 0.5 + 0.5 * Math.max(0, Math.min(1, (near + 1) / 2));
      if (what === 1) {
        const [a, b] = [line[number - 1], line[number]];
        pen.line(a[0], a[1], b[0], b[1], look.ink, 2 * size, 0.25 + 0.4 * shade);
      } else if (what === 2) {
        pen.line(notes[3 * number], notes[3 * number + 1], place[0], place[1], look.ink, 1, 0.45 * shade);
      } else {
        const pitch = frame.pitch[number];
        const lit = look.lit === null || look.lit === pitch % 12;
        const colour = look.colours[pitch % 12];
        const near1 = number === look.near ? 1.4 : 1;
        const r = (frame.many ? 3 : 7) * size * near1 * (0.72 + 0.4 * shade) + (frame.many ? 0 : 1);
        const alpha = lit ? (frame.many ? 0.7 : 1) : 0.12;
        pen.disc(notes[3 * number], notes[3 * number + 1], r, colour, alpha, frame.many ? null : look.ground);
        if (lit && look.label(number))
          pen.text(notes[3 * number] + r + 3, notes[3 * number + 1] + 4, rasen.words.note(pitch), look.ink, shade, look.ground);
      }
    }
    return notes;
  };

  /** A pen on a canvas. */
  rasen.canvasPen = (context) => ({
    line(x1, y1, x2, y2, colour, wide, alpha) {
      context.globalAlpha = alpha;
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.lineCap = "round";
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
    },
    disc(x, y, r, colour, alpha, rim) {
      context.globalAlpha = alpha;
      context.fillStyle = colour;
      context.beginPath();
      context.arc(x, y, r, 0, 2 * Math.PI);
      context.fill();
      if (!rim) return;
      context.strokeStyle = rim;
      context.lineWidth = 1.5;
      context.stroke();
    },
    text(x, y, words, colour, alpha, halo) {
      context.globalAlpha = Math.max(0.75, alpha);
      context.font = `600 12px ${getComputedStyle(document.documentElement).fontFamily}`;
      context.lineJoin = "round";
      context.strokeStyle = halo;
      context.lineWidth = 3;
      context.strokeText(words, x, y);
      context.fillStyle = colour;
      context.fillText(words, x, y);
    },
  });

  /** A pen that makes an SVG file: {line, disc, text, end()}. */
  rasen.svgPen = (width, height, ground, title) => {
    const root = rasen.svg("svg", {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      "font-family": "system-ui, sans-serif",
    });
    root.append(
      rasen.svg("title", {}, title),
      rasen.svg("rect", { width, height, fill: ground }),
    );
    const short = (value) => value.toFixed(2);
    return {
      line(x1, y1, x2, y2, stroke, wide, alpha) {
        root.append(
          rasen.svg("line", {
            x1: short(x1), y1: short(y1), x2: short(x2), y2: short(y2), stroke,
            "stroke-width": short(wide), "stroke-opacity": short(alpha), "stroke-linecap": "round",
          }),
        );
      },
      disc(x, y, r, fill, alpha, rim) {
        root.append(
          rasen.svg("circle", {
            cx: short(x), cy: short(y), r: short(r), fill, "fill-opacity": short(alpha),
            stroke: rim, "stroke-width": rim ? 1.5 : null,
          }),
        );
      },
      text(x, y, words, fill, alpha, halo) {
        root.append(
          rasen.svg(
            "text",
            {
              x: short(x), y: short(y), fill, "font-size": 12, "font-weight": 600,
              stroke: halo, "stroke-width": 3, "stroke-linejoin": "round", "paint-order": "stroke",
            },
            words,
          ),
        );
      },
      end: () => new XMLSerializer().serializeToString(root),
    };
  };
}
