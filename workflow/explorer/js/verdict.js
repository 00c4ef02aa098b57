"use strict";
// What the tests say of a fit (`verdict` of tables/helix.parquet), as a sentence.
{
  const q = (value) => (value < 0.001 ? "q < 0.001" : `q = ${rasen.words.number(value)}`);

  rasen.verdict = (row) => {
    const octave = q(row.octave_q);
    const order = q(row.order_q);
    const sentences = {
      octave: `Octave: notes twelve keys apart are alike, and no other distance explains it (${octave}).`,
      "smooth path": `Smooth path: neighbouring keys are alike (${order}), but nothing repeats at twelve keys.`,
      "cannot tell": `Cannot tell: with ${row.keys} keys, octaves and smooth paths look the same (${octave}).`,
      "no structure": `No structure: keys in random order would look like this (${order}).`,
      "no fit": "No fit: the notes do not differ enough to fit a helix.",
    };
    return Object.hasOwn(sentences, row.verdict) ? sentences[row.verdict] : row.verdict;
  };
}
