"use strict";
// Elements. Text enters as text nodes alone: no string of the data is ever read as markup.
{
  const SVG = "http://www.w3.org/2000/svg";

  /** An element with attributes, listeners (on...: function) and children (elements or text). */
  function element(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === undefined || value === null || value === false) continue;
      if (typeof value === "function") node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }

  rasen.el = (tag, attributes, ...children) =>
    element(document.createElement(tag), attributes, children);
  rasen.svg = (tag, attributes, ...children) =>
    element(document.createElementNS(SVG, tag), attributes, children);
}
