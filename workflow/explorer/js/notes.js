"use strict";
// How notes sound. A view asks to hear one and gets words when it cannot.
rasen.notes = {
  /** Play the note of an instrument, if there is its sound; what to tell if not. */
  async play() {
    return "these results have no sounds of notes";
  },
};
