"""The explorer at the size of a large study: its folder, and how fast its views are in Chromium.

    python benchmarks/explorer.py [--size tiny]

Without Chromium only the folder is measured.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow/scripts"), str(ROOT / "tests/explorer")]

import made
import numpy as np
import pandas as pd
from browser import Browser, find_chromium
from rows import Rows
from write_explorer import write_explorer

from rasen.io.audio import mp3_bytes
from rasen.stimuli.sprites import RATE, SLOT

SIZES = {  # layers, points, keys, instruments, rows of a table
    "tiny": (3, 4, 13, 2, 2000),
    "full": (50, 16, 36, 92, 30_000),
}
ROUNDS = 3


def sounds(instruments, keys):
    """A decaying note of eight harmonics for each key, as MP3, of every instrument."""
    time_ = np.arange(int(SLOT * RATE)) / RATE
    rows = []
    for number in range(instruments):
        weights = np.random.default_rng(number).random(8)
        notes = [
            sum(
                weight * np.sin(2 * np.pi * (k + 1) * 440 * 2 ** ((48 + key - 69) / 12) * time_)
                for k, weight in enumerate(weights)
            )
            * np.exp(-6 * time_)
            for key in range(keys)
        ]
        sound = (0.1 * np.concatenate(notes)).astype(np.float32)
        rows.append({"instrument": f"instrument {number}", "mp3": mp3_bytes(sound, RATE)})
    return pd.DataFrame(rows).assign(lowest=48, keys=keys, seconds=SLOT, rate=RATE)


def write(folder, layers, points, keys, instruments):
    """The explorer's folder."""
    routes = made.route_table(points=points)
    notes, curves = made.notes_and_curves(routes, layers, instruments, keys)
    tables = {
        "points": routes,
        "perplexity": made.perplexity_table(routes),
        "helix": made.helix_table(routes, layers),
        "helix_notes": notes,
        "helix_curves": curves,
        "probes": made.probes_table(routes, layers),
        "similarity": made.similarity_table(routes, layers),
    }
    paths = made.write_tables(folder / "tables", tables)
    heard = folder / "notes/rendered/notes.parquet"
    heard.parent.mkdir(parents=True)
    sounds(instruments, keys).to_parquet(heard)
    (folder / "config.yaml").write_text(made.CONFIG)
    begun = time.perf_counter()
    write_explorer([*paths, heard], folder / "config.yaml", folder, folder / "explorer")
    return time.perf_counter() - begun


def size(folder):
    """MB of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


# Moves a slider through all its places; per step the time until the picture is painted, and that of
# the processor is told by the browser.
WALK = """(async (which) => {
  const input = document.querySelectorAll(".sliders input")[which];
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const times = [];
  for (let place = 0; place <= Number(input.max); place++) {
    if (place === Number(input.value)) continue;
    await frame();
    const begun = performance.now();
    performance.clearMarks("helix painted");
    input.value = place;
    input.dispatchEvent(new Event("input"));
    while (!performance.getEntriesByName("helix painted").length) await frame();
    times.push(performance.getEntriesByName("helix painted").at(-1).startTime - begun);
  }
  return times;
})"""

TABLE = """((rows) => {
  const random = (() => { let seed = 1; return () => (seed = (seed * 16807) % 2147483647) / 2147483647; })();
  const columns = Array.from({ length: 8 }, (_, place) => ({
    name: `column ${place}`,
    values: Array.from({ length: rows }, () => place < 5 ? random() : `label ${Math.floor(random() * 997)}`),
  }));
  const begun = performance.now();
  const table = rasen.table(columns, { rows, name: "features" });
  document.querySelector("main").replaceChildren(table.node);
  const built = performance.now();
  table.sort(0);
  const sorted = performance.now();
  table.search("label 12");
  const first = performance.now();
  table.search("label 123");
  return [built - begun, sorted - built, first - sorted, performance.now() - first];
})"""  # noqa: E501 (a script of the page)


def processor(page):
    """Seconds that the page's thread has worked."""
    metrics = page.send("Performance.getMetrics")["metrics"]
    return next(entry["value"] for entry in metrics if entry["name"] == "TaskDuration")


def opened(browser, folder):
    """ms until the first paint, and until the helix is painted."""
    page = browser.page()
    page.open(folder)
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    first = page.wait(paint)
    page.open(folder, "view=helix")
    helix = page.wait("performance.getEntriesByName('helix painted')[0]?.startTime")
    page.close()
    return first, helix


def look(rows, folder, count):
    """The page's figures."""
    browser = Browser()
    times = [opened(browser, folder) for _ in range(ROUNDS)]
    rows.add("first paint", median(t[0] for t in times), "ms", target=1000, at_most=True)
    rows.add(
        "helix painted, from opening", median(t[1] for t in times), "ms", target=2000, at_most=True
    )
    page = browser.page()
    page.send("Performance.enable")
    page.open(folder, "view=helix")
    page.settle()
    for instrument in ("pooled", "all instruments"):
        page.run(f"rasen.state.set({{ instrument: {instrument!r} }})")
        for which, name in enumerate(("point", "layer")):
            page.settle()
            before = processor(page)
            steps = page.run(f"{WALK}({which})")
            busy = 1000 * (processor(page) - before) / len(steps)
            slowest = quantiles(steps, n=20)[-1]
            what = f"slider of the {name}, {instrument}"
            rows.add(f"{what}: p95", slowest, "ms", target=100, at_most=True)
            rows.add(f"{what}: processor", busy, "ms", target=50, at_most=True)
    page.send("HeapProfiler.collectGarbage")
    heap = page.send("Runtime.getHeapUsage")
    total = (heap["usedSize"] + heap.get("backingStorageSize", 0)) / 1e6
    rows.add("heap after all of this, with its arrays", total, "MB", target=150, at_most=True)
    built, sort, first, again = page.run(f"{TABLE}({count})")
    rows.add(f"a table of {count:,} rows: built", built, "ms")
    rows.add("sorted", sort, "ms", target=100, at_most=True)
    rows.add("searched for the first time", first, "ms", target=100, at_most=True)
    rows.add("searched again", again, "ms", target=100, at_most=True)
    browser.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="full")
    layers, points, keys, instruments, count = SIZES[parser.parse_args().size]
    rows = Rows()
    with TemporaryDirectory() as place:
        folder = Path(place)
        taken = write(folder, layers, points, keys, instruments)
        rows.add("writing the folder", taken, "s")
        whole = size(folder / "explorer")
        heard = size(folder / "explorer/data/note_sounds")
        rows.add("folder", whole, "MB", target=50, at_most=True)
        rows.add("of it sounds of notes", heard, "MB")
        if find_chromium():
            look(rows, folder / "explorer", count)
        else:
            rows.add("the page", None, note="no Chromium here")


if __name__ == "__main__":
    main()
