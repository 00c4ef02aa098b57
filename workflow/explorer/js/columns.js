"use strict";
// Columns are base64 of typed arrays, some gzipped: packing.py is the other half.
{
  const MISSING = -32768;

  function bytesOf(text) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  }

  async function stored(packed) {
    const bytes = bytesOf(packed.data);
    if (!packed.gzip) return bytes.buffer;
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }

  function fixed(buffer, step) {
    const bytes = new Uint8Array(buffer);
    const half = bytes.length / 2;
    const values = new Float32Array(half);
    for (let i = 0; i < half; i++) {
      const number = ((bytes[i] | (bytes[half + i] << 8)) << 16) >> 16;
      values[i] = number === MISSING ? NaN : number * step;
    }
    return values;
  }

  const READERS = {
    float: (buffer) => new Float32Array(buffer),
    integer: (buffer) => new Int32Array(buffer),
    flag: (buffer) => new Uint8Array(buffer),
    byte: (buffer) => new Uint8Array(buffer),
    fixed: (buffer, packed) => fixed(buffer, packed.step),
    label: (buffer, packed) => ({ codes: new Int32Array(buffer), labels: packed.labels }),
  };

  /** A column as an array of numbers, of texts, or {codes, labels}. */
  rasen.unpack = async (kind, packed) =>
    kind === "text" ? packed.texts : READERS[kind](await stored(packed), packed);

  rasen.countOf = (column) => (column.codes ? column.codes.length : column.length);

  /** One value: a number (null where it is missing) or a text. */
  rasen.valueOf = (column, row) => {
    if (column.codes) return column.codes[row] < 0 ? null : column.labels[column.codes[row]];
    const value = column[row];
    return Number.isNaN(value) || value === MISSING ? null : value;
  };
}
