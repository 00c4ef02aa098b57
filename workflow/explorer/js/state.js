"use strict";
// What is looked at, kept in the address after the #, so that a view is a link.
{
  let state = read();
  let timer = null;
  const listeners = new Set();

  function read() {
    return Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  }

  function write() {
    timer = null;
    const hash = `#${new URLSearchParams(state)}`;
    if (hash !== location.hash) history.replaceState(null, "", hash);
  }

  const tell = () => listeners.forEach((listener) => listener(state));

  rasen.state = {
    get: (name, otherwise = "") => state[name] ?? otherwise,

    /** The option that the address names, or else this one. */
    choose: (name, options, otherwise = options[0]) =>
      options.find((option) => String(option) === state[name]) ?? otherwise,

    /** Change some values; null takes one away. */
    set(changes) {
      const next = { ...state };
      for (const [name, value] of Object.entries(changes)) {
        if (value === null) delete next[name];
        else next[name] = String(value);
      }
      const same = (name) => next[name] === state[name];
      if ([...Object.keys(next), ...Object.keys(state)].every(same)) return;
      state = next;
      // Browsers refuse many changes of the address in a row, as a slider makes them.
      timer ??= setTimeout(write, 200);
      tell();
    },

    /** Another view: a new entry of the browser's history. */
    go(view) {
      clearTimeout(timer);
      write();
      location.hash = `#${new URLSearchParams({ ...state, view })}`; // hashchange tells
    },

    onchange: (listener) => listeners.add(listener),
  };

  addEventListener("hashchange", () => {
    const next = read();
    if (JSON.stringify(next) === JSON.stringify(state)) return;
    state = next;
    tell();
  });
}
