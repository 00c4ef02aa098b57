"use strict";
// Everything of the page is below this one name; files are plain scripts in the order of index.html.
window.rasen = {};

rasen.views = [];

/**
 * A view, in the order of the tabs.
 *
 * name: in the address; title: of its tab; sentence: what it shows; needs: names of data without
 * which there is no tab; config: keys of the config that made it; build(place): makes it once and
 * returns {show()}, which is called whenever the state has changed.
 */
rasen.view = (view) => rasen.views.push(view);
