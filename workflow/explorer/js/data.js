"use strict";
// Data are scripts that call put(): all that a page may load when it is opened from a disk.
{
  const waiting = new Map(); // "name/number" -> what to do with the data that arrive
  const loaded = new Map(); // path -> promise, the latest last
  const KEPT = 64; // parts in memory
  const REPAIR = "copy the whole folder again, or run: snakemake explorer";
  let contract = null;
  let index = null;

  rasen.put = (name, number, data) => waiting.get(`${name}/${number}`)?.(data);

  function inject(key, path) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      const done = (then) => {
        waiting.delete(key);
        script.remove();
        then();
      };
      let found = null;
      waiting.set(key, (data) => (found = data));
      script.onload = () =>
        done(() => {
          if (found) resolve(found);
          else reject(new Error(`${path} holds no data of ${key}; ${REPAIR}`));
        });
      script.onerror = () =>
        done(() => reject(new Error(`${path} is missing or cannot be read; ${REPAIR}`)));
      script.src = path;
      document.head.append(script);
    });
  }

  async function open(name, number, path) {
    const data = await inject(`${name}/${number}`, path);
    const problems = rasen.differences(contract, name, data);
    if (problems.length) throw new Error(`${path}: ${problems.join("; ")}; ${REPAIR}`);
    const columns = {};
    const asked = contract[name].columns || {};
    await Promise.all(
      Object.entries(asked).map(async ([column, { type }]) => {
        try {
          columns[column] = await rasen.unpack(type, data.columns[column]);
        } catch {
          throw new Error(`${path}: column “${column}” is damaged; ${REPAIR}`);
        }
        const length = rasen.lengthOf(asked[column], data.sizes);
        const found = rasen.countOf(columns[column]);
        if (found !== length)
          throw new Error(`${path}: column “${column}” has ${found} values, not ${length}; ${REPAIR}`);
      }),
    );
    return { name, sizes: data.sizes, values: data.values, columns };
  }

  rasen.data = {
    /** Read what there is; must be called first. */
    async start() {
      contract = await inject("contract/0", "data/contract.js");
      index = await inject("index/0", "data/index.js");
    },

    has: (name) => Boolean(index[name]?.length),

    /** What tells the parts of a name from each other, [{model, route, ...}]. */
    parts: (name) => index[name] || [],

    /** The only part of a name, or the one with these values: {sizes, values, columns}. */
    load(name, of = {}) {
      const parts = rasen.data.parts(name);
      const number = parts.findIndex((part) =>
        Object.entries(of).every(([key, value]) => String(part[key]) === String(value)),
      );
      if (number < 0)
        return Promise.reject(new Error(`no ${name} of ${Object.values(of).join(", ")}`));
      const path = `data/${name}/${number}.js`;
      const part = loaded.get(path) || open(name, number, path);
      loaded.delete(path);
      loaded.set(path, part);
      part.catch(() => loaded.delete(path)); // a file that is put back is read again
      if (loaded.size > KEPT) loaded.delete(loaded.keys().next().value);
      return part;
    },

    /** The rows of a table as objects. */
    rows(table) {
      const names = Object.keys(table.columns);
      return Array.from({ length: table.sizes.rows }, (_, row) =>
        Object.fromEntries(names.map((name) => [name, rasen.valueOf(table.columns[name], row)])),
      );
    },

    /** The different values of a column of rows, in their order. */
    unique: (rows, name) => [...new Set(rows.map((row) => row[name]))],

    /** {name: what it is} of the columns of a name. */
    about: (name) =>
      Object.fromEntries(
        Object.entries(contract[name].columns || {}).map(([column, { about }]) => [column, about]),
      ),
  };

  const scripts = new Map();
  /** A script of the folder, run once. */
  rasen.script = (path) => {
    if (!scripts.has(path))
      scripts.set(
        path,
        new Promise((resolve, reject) => {
          const script = document.createElement("script");
          script.onload = () => resolve();
          script.onerror = () => reject(new Error(`${path} is missing; ${REPAIR}`));
          script.src = path;
          document.head.append(script);
        }),
      );
    return scripts.get(path);
  };
}
