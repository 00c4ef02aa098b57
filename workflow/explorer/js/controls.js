"use strict";
// Controls that are bound to the state: a choice, a slider.
{
  let number = 0;

  /** A <select>; options: [text] or [{value, text}]. Returns {node, set(options, value)}. */
  rasen.choice = (label, onpick) => {
    const id = `choice-${++number}`;
    const select = rasen.el("select", { id, onchange: () => onpick(select.value) });
    const node = rasen.el(
      "div",
      { class: "control" },
      rasen.el("label", { for: id }, label),
      select,
    );
    let shown = "";
    return {
      node,
      select,
      set(options, value) {
        const items = options.map((item) =>
          typeof item === "object" ? item : { value: item, text: item },
        );
        const now = JSON.stringify(items);
        if (now !== shown)
          select.replaceChildren(
            ...items.map((item) => rasen.el("option", { value: item.value }, item.text)),
          );
        shown = now;
        select.value = value;
        node.hidden = items.length < 2;
      },
    };
  };

  /** A slider over places 0..n-1, told in words. Returns {node, set(count, place, words)}. */
  rasen.slider = (label, onmove) => {
    const id = `slider-${++number}`;
    const input = rasen.el("input", {
      id,
      type: "range",
      min: 0,
      step: 1,
      oninput: () => onmove(Number(input.value)),
    });
    const told = rasen.el("output", { for: id });
    const node = rasen.el(
      "div",
      { class: "control slider" },
      rasen.el("label", { for: id }, label),
      told,
      input,
    );
    return {
      node,
      input,
      set(count, place, words) {
        input.max = Math.max(0, count - 1);
        input.value = place;
        input.disabled = count < 2;
        input.setAttribute("aria-valuetext", words);
        told.textContent = words;
      },
    };
  };
}
