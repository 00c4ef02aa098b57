"use strict";
// The waveform of a song from its peaks, with sections as a band, a line where it plays, and seeking.
{
  const BAND = 22; // height of the sections
  const WAVE = 120;
  const AXIS = 18;
  const STEP = 5; // seconds of an arrow key
  const FULL = 127;
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600];

  /** Least and greatest of the columns of every pixel, as an outline. */
  function outline(bytes, width, columns) {
    const samples = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    const middle = BAND + WAVE / 2;
    const [upper, lower] = [[], []];
    const drawn = Math.min(width, columns);
    for (let x = 0; x < drawn; x++) {
      const from = Math.floor((x * columns) / drawn);
      const to = Math.max(from + 1, Math.floor(((x + 1) * columns) / drawn));
      let [least, most] = [0, 0];
      for (let column = from; column < Math.min(to, samples.length / 2); column++) {
        least = Math.min(least, samples[2 * column]);
        most = Math.max(most, samples[2 * column + 1]);
      }
      const place = ((x + 0.5) * width) / drawn;
      const high = (WAVE / 2 - 3) / FULL;
      upper.push(`${place.toFixed(1)} ${(middle - most * high - 0.4).toFixed(1)}`);
      lower.push(`${place.toFixed(1)} ${(middle - least * high + 0.4).toFixed(1)}`);
    }
    return upper.length ? `M${upper.join("L")}L${lower.reverse().join("L")}Z` : "";
  }

  const LABELS = ["intro", "verse", "chorus", "bridge", "inst", "outro"];

  /** wave: {seconds, columnsS, sounds: [{name, bytes}], sections: [{start, end, label}]} */
  rasen.drawWave = (svg, wave, width) => {
    const scale = width / wave.seconds;
    const columns = wave.seconds * wave.columnsS;
    const parts = [];
    const names = rasen.svg("g", { "aria-label": "text" });
    for (const { start, end, label } of wave.sections) {
      const kind = LABELS.includes(label) ? label : "other";
      const wide = (end - start) * scale;
      parts.push(
        rasen.svg(
          "rect",
          { class: `section ${kind}`, x: start * scale, y: 0, width: Math.max(0, wide - 1), height: BAND - 3 },
          rasen.svg("title", {}, `${label}, ${rasen.clock(start)} to ${rasen.clock(end)}`),
        ),
      );
      if (wide > 8 + 6.5 * label.length)
        names.append(rasen.svg("text", { class: "section-name", x: start * scale + 5, y: BAND - 8 }, label));
    }
    for (const { name, bytes } of wave.sounds)
      if (bytes.length)
        parts.push(rasen.svg("path", { class: `sound ${name}`, d: outline(bytes, Math.floor(width), columns) }));
    const step = STEPS.find((one) => one * scale >= 64) || STEPS.at(-1);
    for (let at = 0; at < wave.seconds; at += step) {
      parts.push(rasen.svg("line", { class: "tick", x1: at * scale, x2: at * scale, y1: BAND + WAVE, y2: BAND + WAVE + 4 }));
      if (at * scale < width - 26)
        parts.push(rasen.svg("text", { class: "axis", x: at * scale + 3, y: BAND + WAVE + 14 }, rasen.clock(at)));
    }
    svg.setAttribute("viewBox", `0 0 ${width} ${BAND + WAVE + AXIS}`);
    svg.setAttribute("width", width);
    svg.setAttribute("height", BAND + WAVE + AXIS);
    svg.replaceChildren(...parts, names);
  };

  /** A waveform that is a slider. Returns {node, svg, show(wave), time(seconds)}. */
  rasen.wave = ({ onseek, ontoggle }) => {
    const svg = rasen.svg("svg", { class: "wave", "aria-hidden": "true" });
    const line = rasen.el("i", { class: "playhead", "aria-hidden": "true" });
    const node = rasen.el(
      "div",
      {
        class: "wave-slider", tabindex: "0", role: "slider", "aria-label": "Place in the song",
        "aria-valuemin": "0", onkeydown: key, onpointerdown: grab,
        onpointermove: (event) => node.hasPointerCapture(event.pointerId) && point(event),
      },
      svg,
      line,
    );
    let shown = null;
    let now = 0;

    function point(event) {
      const box = node.getBoundingClientRect();
      const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
      if (shown) onseek(share * shown.seconds);
    }

    function grab(event) {
      if (event.button) return;
      node.setPointerCapture(event.pointerId);
      point(event);
    }

    function key(event) {
      const to = {
        ArrowRight: now + STEP, ArrowUp: now + STEP, ArrowLeft: now - STEP, ArrowDown: now - STEP,
        PageUp: now + 6 * STEP, PageDown: now - 6 * STEP, Home: 0, End: shown?.seconds,
      }[event.key];
      if (event.key === " ") ontoggle();
      else if (to === undefined) return;
      else onseek(Math.max(0, Math.min(to, shown.seconds)));
      event.preventDefault();
    }

    function draw() {
      const width = node.clientWidth;
      if (shown && width) rasen.drawWave(svg, shown, width);
      time(now);
    }

    function time(seconds) {
      now = seconds;
      if (!shown) return;
      line.style.left = `${(100 * Math.min(seconds, shown.seconds)) / shown.seconds}%`;
      node.setAttribute("aria-valuenow", Math.round(seconds));
      const part = shown.sections.find((one) => seconds >= one.start && seconds < one.end);
      node.setAttribute("aria-valuetext", rasen.clock(seconds) + (part ? `, ${part.label}` : ""));
    }

    rasen.onwidth(node, draw);
    return {
      node,
      svg,
      show(wave) {
        shown = wave;
        node.setAttribute("aria-valuemax", Math.round(wave.seconds));
        draw();
      },
      time,
    };
  };
}
