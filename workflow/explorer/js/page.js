"use strict";
// The frame: tabs of the views whose data are there, the view that the address names, what is told.
{
  const views = rasen.views;
  const main = document.getElementById("view");
  const tabs = document.getElementById("tabs");
  const built = new Map(); // name -> {node, show}
  let present = [];

  const told = (error) =>
    rasen.el("p", { class: "told", role: "alert" }, `This cannot be shown: ${error.message}`);

  async function configPanel(keys) {
    const { values } = await rasen.data.load("config");
    const text = keys.map((key) => values.texts[key]).filter(Boolean).join("");
    const code = rasen.el("pre", { tabindex: "0" }, text || "Nothing: the defaults hold.");
    const copy = rasen.el(
      "button",
      {
        type: "button",
        onclick: async () => {
          getSelection().selectAllChildren(code); // where no clipboard is, Ctrl+C takes it
          try {
            await navigator.clipboard.writeText(text);
            copy.textContent = "Copied";
          } catch {
            copy.textContent = "Selected: press Ctrl+C";
          }
        },
      },
      "Copy",
    );
    return rasen.el("div", { class: "config" }, copy, code);
  }

  function configButton(keys) {
    const place = rasen.el("div", { hidden: true });
    const button = rasen.el(
      "button",
      {
        type: "button",
        "aria-expanded": "false",
        onclick: async () => {
          place.hidden = !place.hidden;
          button.setAttribute("aria-expanded", String(!place.hidden));
          if (place.hidden) return;
          try {
            place.replaceChildren(await configPanel(keys));
          } catch (error) {
            place.replaceChildren(told(error));
          }
        },
      },
      "Config that made this",
    );
    return { button, place };
  }

  async function build(view) {
    const body = rasen.el("div", { class: "view-body" });
    const config = configButton(view.config);
    const node = rasen.el(
      "section",
      { class: "view", "data-view": view.name, "aria-labelledby": `title-${view.name}` },
      rasen.el(
        "header",
        { class: "view-head" },
        rasen.el("h2", { id: `title-${view.name}` }, view.title),
        config.button,
        rasen.el("p", { class: "lead" }, view.sentence),
        config.place,
      ),
      body,
    );
    main.replaceChildren(node);
    const made = await view.build(body);
    return { node, ...made };
  }

  async function show() {
    const name = rasen.state.get("view", present[0].name);
    const view = present.find((one) => one.name === name) || present[0];
    for (const tab of tabs.children)
      if (tab.dataset.view === view.name) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    // on a narrow screen the tabs are wider than it; only they are moved
    const current = tabs.querySelector("[aria-current]");
    tabs.scrollLeft = current.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - current.offsetWidth) / 2;
    document.title = `${view.title} · Rasen`;
    try {
      if (!built.has(view.name)) built.set(view.name, build(view));
      const made = await built.get(view.name);
      if (rasen.state.get("view", present[0].name) !== name) return; // another was chosen since
      if (main.firstChild !== made.node) main.replaceChildren(made.node);
      await made.show?.();
    } catch (error) {
      built.delete(view.name);
      main.replaceChildren(told(error));
      if (!error.message.includes("data/")) throw error;
    }
  }

  async function start() {
    try {
      await rasen.data.start();
    } catch (error) {
      main.replaceChildren(told(error));
      return;
    }
    present = views.filter((view) => view.needs.every(rasen.data.has));
    tabs.replaceChildren(
      ...present.map((view) => {
        const link = rasen.el(
          "a",
          {
            href: `#view=${view.name}`,
            "data-view": view.name,
            onclick: (event) => {
              event.preventDefault();
              rasen.state.go(view.name);
            },
          },
          view.title,
        );
        return link;
      }),
    );
    document.querySelector("[data-skip]").addEventListener("click", (event) => {
      event.preventDefault(); // the address holds the state
      main.focus();
    });
    rasen.state.onchange(show);
    await show();
    document.documentElement.dataset.ready = "true";
  }

  start();
}
