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
import made_media
import numpy as np
import pandas as pd
from browser import Browser, find_chromium
from rows import Rows
from write_explorer import write_explorer

from rasen.io.audio import mp3_bytes
from rasen.stimuli.sprites import RATE, SLOT

SIZES = {  # layers, points, keys, instruments, rows of a table and features, songs
    "tiny": (3, 4, 13, 2, 2000, 5),
    "full": (50, 16, 36, 92, 30_000, 200),
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


def features_and_songs(folder, features, songs):
    """Tables of one SAE, a third of whose features are kept, as in the demo, and of songs of four
    minutes without their sound."""
    rng = np.random.default_rng(0)
    tables = made_media.feature_tables(("trained",), features, clips=2000, label="pitch 60")
    table = tables["tables/features"]
    table["label"] = np.where(rng.random(features) < 0.4, "unlabelled", "pitch 60")
    table["confirmed"] = (table["label"] != "unlabelled") & (rng.random(features) < 0.3)
    table["kept"] = table["feature"] % 3 == 0
    (name,) = (name for name in tables if name.endswith("top_clips"))
    top = tables[name][tables[name]["feature"] % 3 == 0]
    time_ = np.linspace(0, 1, 200)  # bursts over a quarter of the clip, no two alike
    begins, heights = rng.random(len(top)), rng.integers(40, 256, len(top))
    levels = np.clip(1 - 8 * abs(time_ - begins[:, None]), 0, 1) * heights[:, None]
    levels = levels * (0.8 + 0.2 * rng.random(levels.shape))
    tables[name] = top.assign(activation=[row.tobytes() for row in levels.astype(np.uint8)])
    tables |= made_media.song_tables(folder, songs, sound=False, name="an artist")
    waves = tables["batches/measure_peaks/00000"]
    columns = rng.integers(0, 127, (4800, 1)) * np.array([-1, 1])
    raw = columns.astype(np.int8).tobytes()
    tables["batches/measure_peaks/00000"] = waves.assign(
        mix=raw, vocals=raw, accompaniment=raw, seconds=240.0
    )
    return made_media.write_results(folder, tables)


def write(folder, layers, points, keys, instruments, features, songs):
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
    paths = made.write_tables(folder / "results/tables", tables)
    paths += features_and_songs(folder, features, songs)
    folder = folder / "results"
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

TABLE = """(async (rows) => {
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
  await new Promise((done) => setTimeout(done, 500)); // somebody types
  const typed = performance.now();
  table.search("label 12");
  const first = performance.now();
  table.search("label 123");
  return [built - begun, sorted - built, first - typed, performance.now() - first];
})"""  # noqa: E501 (a script of the page)


def heap(page):
    """MB of objects and arrays."""
    page.send("HeapProfiler.collectGarbage")
    usage = page.send("Runtime.getHeapUsage")
    return (usage["usedSize"] + usage.get("backingStorageSize", 0)) / 1e6


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
    rows.add("heap after all of this, with its arrays", heap(page), "MB", target=150, at_most=True)
    built, sort, first, again = page.run(f"{TABLE}({count})")
    rows.add(f"a table of {count:,} rows: built", built, "ms")
    rows.add("sorted", sort, "ms", target=100, at_most=True)
    rows.add("searched for the first time", first, "ms", target=100, at_most=True)
    rows.add("searched again", again, "ms", target=100, at_most=True)
    browser.close()


# Chooses one after the other and waits until it is drawn; ms of each.
CHOOSE = """(async (key, values, drawn) => {
  const times = [];
  for (const value of values) {
    const begun = performance.now();
    rasen.state.set({ [key]: value });
    while (!drawn(String(value))) await new Promise((done) => setTimeout(done, 2));
    times.push(performance.now() - begun);
  }
  return times;
})"""
FEATURE = """(value) =>
  document.querySelector(".feature-page h3").textContent.split(" ")[1] === value
  && document.querySelectorAll(".clip svg path").length === 5"""
SONG = """(value) => document.querySelector(".song-title").textContent === value
  && document.querySelector(".wave path") && document.querySelector(".word")"""
SORT = """((place) => {
  const begun = performance.now();
  document.querySelectorAll(".feature-list .head button")[place].click();
  document.body.offsetHeight;
  return performance.now() - begun;
})"""


def listen(rows, folder, features, songs):
    """Features and songs: sorting, searching, opening."""
    browser = Browser()
    page = browser.page()
    page.open(folder, "view=features")
    page.wait("document.querySelectorAll('.clip svg path').length === 5")
    sorts = [page.run(f"{SORT}({place})") for place in (1, 3, 4) for _ in range(3)]
    rows.add("features sorted: slowest of 9", max(sorts), "ms", target=100, at_most=True)
    chosen = [3 * (features // 21) * number for number in range(1, 7)]
    opened = page.run(f"{CHOOSE}('feature', {chosen}, {FEATURE})")
    rows.add("a feature with its clips: slowest", max(opened), "ms", target=300, at_most=True)
    page.open(folder, "view=songs")
    page.settle()
    names = [f"song{number}" for number in range(1, songs, max(1, songs // 6))]
    opened = page.run(f"{CHOOSE}('song', {names}, {SONG})")
    rows.add("a song with its words: slowest", max(opened), "ms", target=300, at_most=True)
    rows.add("heap with features and songs", heap(page), "MB", target=150, at_most=True)
    browser.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="full")
    layers, points, keys, instruments, count, songs = SIZES[parser.parse_args().size]
    rows = Rows()
    with TemporaryDirectory() as place:
        folder = Path(place) / "results"
        taken = write(Path(place), layers, points, keys, instruments, count, songs)
        rows.add("writing the folder", taken, "s")
        whole = size(folder / "explorer")
        heard = size(folder / "explorer/data/note_sounds")
        rows.add("folder", whole, "MB", target=50, at_most=True)
        rows.add("of it sounds of notes", heard, "MB")
        rows.add("of it clips of features", size(folder / "explorer/data/feature_clips"), "MB")
        rows.add("of it waveforms of songs", size(folder / "explorer/data/song_wave"), "MB")
        if find_chromium():
            look(rows, folder / "explorer", count)
            listen(rows, folder / "explorer", count, songs)
        else:
            rows.add("the page", None, note="no Chromium here")


if __name__ == "__main__":
    main()
