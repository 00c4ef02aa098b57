"use strict";
// What data must look like (contract.json); the same is checked where they are written.
{
  const KINDS = {
    text: (value) => typeof value === "string",
    number: (value) => typeof value === "number",
    list: Array.isArray,
    object: (value) => value !== null && typeof value === "object" && !Array.isArray(value),
    flag: (value) => typeof value === "boolean",
  };

  /** Everything in which data of a file differ from the contract, in words. */
  rasen.differences = (contract, name, data) => {
    const wanted = contract[name];
    if (!wanted) return [`“${name}” is not in the contract`];
    const problems = [];
    for (const [column, asked] of Object.entries(wanted.columns || {})) {
      const found = data.columns?.[column];
      if (!found) problems.push(`column “${column}” is lacking`);
      else if (asked.type === "text" ? !found.texts : typeof found.data !== "string")
        problems.push(`column “${column}” is not a ${asked.type}`);
      for (const axis of asked.shape || ["rows"])
        if (!Number.isInteger(data.sizes?.[axis])) problems.push(`size “${axis}” is lacking`);
    }
    for (const [value, kind] of Object.entries(wanted.values || {})) {
      if (!(value in (data.values || {}))) problems.push(`value “${value}” is lacking`);
      else if (!KINDS[kind](data.values[value])) problems.push(`value “${value}” is not a ${kind}`);
    }
    return [...new Set(problems)];
  };

  /** How many values a column must have. */
  rasen.lengthOf = (asked, sizes) =>
    (asked.shape || ["rows"]).reduce((product, axis) => product * sizes[axis], 1);
}
