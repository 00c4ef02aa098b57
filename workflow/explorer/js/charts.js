"use strict";
// Observable Plot and d3, loaded when a view first draws a chart.
rasen.charts = async () => {
  await rasen.script("vendor/d3-7.9.0.js");
  await rasen.script("vendor/plot-0.6.17.js");
  return { Plot: window.Plot, d3: window.d3 };
};
