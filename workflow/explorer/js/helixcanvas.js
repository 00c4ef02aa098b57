"use strict";
// The helix on a canvas: turned by dragging or arrow keys, zoomed by the wheel, notes found by the
// pointer or by J and K.
{
  const FIRST = { turn: -0.6, tilt: 0.32, zoom: 1 };
  const REACH = 14; // pixels from a note in which the pointer means it

  /**
   * onnote(note, chosen): a note is pointed at (or none: -1), or chosen; oncamera(camera): it was turned.
   * Returns {node, canvas, draw(frame, look), light(pitch class), aim(camera), svg(title)}
   */
  rasen.helixCanvas = ({ onnote, oncamera }) => {
    const canvas = rasen.el("canvas", {
      tabindex: "0",
      role: "img",
      "aria-label": "Notes in three dimensions",
      "aria-describedby": "helix-keys",
    });
    const tip = rasen.el("div", { class: "tip", hidden: true });
    const spoken = rasen.el("p", { class: "unseen", "aria-live": "polite" });
    const node = rasen.el("div", { class: "stage" }, canvas, tip, spoken);
    const context = canvas.getContext("2d");
    const pen = rasen.canvasPen(context);
    let camera = { ...FIRST };
    let frame = null;
    let look = null;
    let places = new Float32Array(0);
    let near = -1;
    let waiting = false;
    let size = { width: 0, height: 0 };

    function fit() {
      const width = node.clientWidth;
      const height = node.clientHeight;
      const ratio = Math.min(2, devicePixelRatio || 1);
      if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
      }
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      size = { width, height };
    }

    const lookNow = () => ({ ...look, camera, near, label: labelled });

    function labelled(note) {
      if (note === near) return true;
      if (frame.many) return false;
      if (look.lit !== null) return true;
      return frame.pitch.length <= 24 || frame.pitch[note] % 12 === 0;
    }

    function paint() {
      waiting = false;
      if (!frame || !node.clientWidth) return;
      fit();
      context.globalAlpha = 1;
      context.clearRect(0, 0, size.width, size.height);
      places = rasen.paint(pen, size.width, size.height, frame, lookNow());
      performance.mark("helix painted"); // for the benchmark
    }

    function ask() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(paint);
    }

    function at(event) {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    }

    function nearest([x, y]) {
      let best = -1;
      let least = REACH ** 2;
      for (let note = 0; note < places.length / 3; note++) {
        const far = (places[3 * note] - x) ** 2 + (places[3 * note + 1] - y) ** 2;
        if (far < least || (far === least && places[3 * note + 2] > places[3 * best + 2])) {
          best = note;
          least = far;
        }
      }
      return best;
    }

    function point(note, chosen = false) {
      if (note === near && !chosen) return;
      near = note;
      const words = note < 0 ? "" : onnote(note, chosen);
      tip.hidden = note < 0;
      if (note >= 0) {
        tip.textContent = words;
        const right = places[3 * note] > size.width / 2;
        tip.style.left = right ? "" : `${places[3 * note] + 14}px`;
        tip.style.right = right ? `${size.width - places[3 * note] + 14}px` : "";
        tip.style.top = `${places[3 * note + 1]}px`;
      }
      if (document.activeElement === canvas) spoken.textContent = words;
      ask();
    }

    function turn(across, up) {
      aim({ turn: camera.turn + across, tilt: camera.tilt + up });
      tip.hidden = true;
    }

    const zoom = (by) => aim({ zoom: camera.zoom * by });

    function aim(wanted) {
      camera = { ...camera, ...wanted };
      camera.tilt = Math.max(-1.5, Math.min(1.5, camera.tilt));
      camera.zoom = Math.max(0.4, Math.min(6, camera.zoom));
      ask();
    }

    let held = null;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      held = { at: at(event), moved: 0 };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      const now = at(event);
      if (!held) return point(nearest(now));
      const [dx, dy] = [now[0] - held.at[0], now[1] - held.at[1]];
      held = { at: now, moved: held.moved + Math.hypot(dx, dy) };
      turn(dx * 0.01, dy * 0.01);
    });
    canvas.addEventListener("pointerup", (event) => {
      if (held && held.moved < 4) {
        const note = nearest(at(event));
        if (note >= 0) point(note, true);
      } else oncamera(camera);
      held = null;
    });
    canvas.addEventListener("pointercancel", () => (held = null));
    canvas.addEventListener("pointerleave", () => held || point(-1));
    canvas.addEventListener(
      "wheel",
      (event) => {
        // The page scrolls as ever until the picture was clicked.
        if (document.activeElement !== canvas && !event.ctrlKey) return;
        event.preventDefault();
        zoom(Math.exp(-event.deltaY * 0.0015));
        oncamera(camera);
      },
      { passive: false },
    );
    const KEYS = {
      ArrowLeft: () => turn(-0.12, 0),
      ArrowRight: () => turn(0.12, 0),
      ArrowUp: () => turn(0, -0.1),
      ArrowDown: () => turn(0, 0.1),
      "+": () => zoom(1.15),
      "=": () => zoom(1.15),
      "-": () => zoom(1 / 1.15),
      0: () => aim(FIRST),
      j: () => point((near + 1) % frame.pitch.length, true),
      k: () => point((near < 1 ? frame.pitch.length : near) - 1, true),
      Enter: () => near >= 0 && point(near, true),
    };
    canvas.addEventListener("keydown", (event) => {
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      const act = event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, key) ? null : KEYS[key];
      if (!act || !frame) return;
      event.preventDefault();
      act();
      if (!["j", "k", "Enter"].includes(key)) oncamera(camera);
    });
    canvas.addEventListener("blur", () => point(-1));
    new ResizeObserver(ask).observe(node);

    return {
      node,
      canvas,
      draw(nextFrame, nextLook) {
        frame = nextFrame;
        look = nextLook;
        if (near >= frame.pitch.length) near = -1;
        ask();
      },
      light(pitchClass) {
        look = { ...look, lit: pitchClass };
        ask();
      },
      aim,
      svg(title) {
        const made = rasen.svgPen(size.width, size.height, look.ground, title);
        rasen.paint(made, size.width, size.height, frame, { ...lookNow(), near: -1 });
        return made.end();
      },
    };
  };
}
