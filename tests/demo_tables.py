"""The numbers of the README, from the tables of `make demo`.

    python tests/demo_tables.py results/tables     keeps what the README rests on in tests/demo/

The tables in tests/demo/ are those of the run whose numbers and pictures the README shows.
"""

import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

KEPT = {
    "perplexity": ["route", "point", "position", "group", "perplexity", "low", "high"],
    "gradient": ["point", "loss_before", "loss_after", "change"],
    "helix": ["route", "point", "position", "layer", "features", "verdict", "helicality", "folding",
              "folding_rival", "octave_q", "held_out_octave", "held_out_p", "random_mean",
              "random_95"],
    "sae": ["route", "point", "sae", "best", "kind", "expansion", "k", "normalise", "n", "fvu",
            "loss_recovered", "seed", "lr", "best_at_edge"],
    "features": ["point", "label", "column", "confirmed", "units"],
    "feature_flow": ["from_point", "to_point", "before", "after", "matched", "overlap",
                     "matched_low", "matched_high", "seed_share_before", "seed_share_after",
                     "deaths", "births", "deaths_beyond", "births_beyond"],
    "feature_seeds": ["point", "seed", "other_seed", "before", "after", "matched", "share"],
    "probes": ["route", "point", "features", "task", "split", "row", "metric", "value", "low",
               "high", "chance"],
    "feature_coverage": ["point", "alive", "labelled", "labelled_low", "labelled_high",
                         "confirmed", "confirmed_low", "confirmed_high"],
}  # fmt: skip
SHOWN = {  # rows that are kept, where they are not all
    "probes": "row == 'probe' and metric == 'accuracy' and features in ['selected', 'log-mel']",
}
HERE = Path(__file__).parent / "demo"


def read(folder):
    """{name: table} of the model nano."""
    return {name: pd.read_parquet(Path(folder) / f"{name}.parquet") for name in KEPT}


def keep(folder):
    """Copy the columns that the README rests on, and list those of all tables."""
    HERE.mkdir(exist_ok=True)
    for name, columns in KEPT.items():
        table = pd.read_parquet(Path(folder) / f"{name}.parquet", columns=columns)
        if name in SHOWN:
            table = table.query(SHOWN[name])
        table.to_parquet(HERE / f"{name}.parquet", index=False)
    columns = {
        path.stem: pq.read_schema(path).names for path in sorted(Path(folder).glob("*.parquet"))
    }
    (HERE / "columns.json").write_text(json.dumps(columns, indent=1) + "\n")


def short(number, digits=2):
    """.53 for 0.5312, 1.11 for 1.1098."""
    text = f"{number:.{digits}f}"
    return text.removeprefix("0") if text.startswith("0.") else text


def perplexities(tables):
    """Sentences of the README about perplexity."""
    mean = tables["perplexity"].query("group == 'mean'")
    at = mean.drop_duplicates("point").set_index("point")
    start, end = at.loc["untrained"], at.loc["trained"]
    value = at["perplexity"].map("{:.1f}".format)
    gradient = tables["gradient"].set_index("point")
    first = gradient.loc["gradient-0.000"]
    yield (
        f"**{start.perplexity:.1f}** ({start.low:.1f} to {start.high:.1f}) untrained, "
        f"**{end.perplexity:.1f}** ({end.low:.1f} to {end.high:.1f}) trained"
    )
    yield f"a ratio of {end.perplexity / start.perplexity:.2f}"
    yield f"at the midpoint it is {value['linear-0.500']}"
    yield f"still {value['linear+seed1-0.500']}"
    early, middle = value["step-000064"], value["step-000128"]
    yield f"{early} after 64 of its 400 steps and at {middle} after 128"
    yield f"({first.loss_before:.2f} to {first.loss_after:.2f} nats)"
    yield f"perplexity rises to {value['gradient-1.000']}"
    yield f"where perplexity is still {value['linear-0.250']}"
    yield f"while perplexity is still {middle}"


def helices(tables):
    """Rows of the README's table of Helicality."""
    table = tables["helix"].drop_duplicates(["point", "layer"])
    network = table.query("features == 'network'")
    for point in ("untrained", "trained"):
        rows = network.query("point == @point").sort_values("layer")
        yield f"| {point} | " + " | ".join(map(short, rows["helicality"])) + " |"
    one = network.iloc[0]
    yield f"mean {short(one.random_mean)}, 95 % quantile {short(one.random_95)}"
    run = network.query("layer > 0").set_index("point")
    forms, trained = run.loc["step-000128"], run.loc["trained"]
    yield f"(`folding` {short(run.loc['step-000064', 'folding'].max())} at most)"
    yield (
        f"({spread(forms['folding'])}, best other period {spread(forms['folding_rival'])}, "
        f"corrected p {short(forms['octave_q'].max(), 4)} at most)"
    )
    yield f"with {spread(trained['held_out_octave'])} (chance .08) in the trained layers 1 to 6"
    heard = table.query("point == 'log-mel'").iloc[0]
    yield f"log-mel of the same notes, {short(heard.held_out_octave)}"
    assert set(run.loc[["step-000128", "linear-0.250", "trained"], "verdict"]) == {"octave"}
    assert set(run.loc[["step-000064", "linear+seed1-0.250"], "verdict"]) == {"smooth path"}
    assert set(run.loc["linear+seed1-0.500", "verdict"]) == {"octave"}
    embedding = network.query("layer == 0").set_index("point")["verdict"]
    assert list(embedding[["step-000128", "step-000256"]]) == ["smooth path", "octave"]
    yield f"falls to {short(trained.query('layer in [3, 4, 5]')['helicality'].min())} in the middle"
    others = table.query("route == 'baseline'").set_index("point")["helicality"].map(short)
    yield f"codec tokens {others['codec tokens']}"
    yield f"log-frequency spectrum {others['log-frequency']}"
    yield f"log-mel **{others['log-mel']}**"


def probes(tables):
    """Rows of the README's table of probes."""
    table = tables["probes"].query("route == 'step'")
    for split in ("grouped", "random"):
        for task, words in (
            ("pitch_class", "pitch class, an octave"),
            ("instrument", "instrument, an octave"),
            ("octave", "octave, two instruments"),
        ):
            keep = (table["task"] == task) & (table["split"] == split)
            rows = table[keep].set_index(["features", "point"])
            at = [("selected", point) for point in RUN] + [("log-mel", "trained")]
            cells = [short(rows.loc[place, "chance"]) for place in at[:1]]
            for place in at:
                row = rows.loc[place]
                cell = short(row["value"])
                if place[1] == "trained" and place[0] == "selected" and split == "grouped":
                    cell += f" ({short(row['low'])} to {short(row['high'])})"
                cells.append(cell)
            left_out = words if split == "grouped" else f"{words.split(',')[0]}, *clips*"
            yield f"| {left_out} | " + " | ".join(cells) + " |"


RUN = ("untrained", "step-000064", "step-000128", "trained")


def autoencoders(tables):
    """Rows of the README's table of sparse autoencoders, and what becomes of features."""
    flow = tables["feature_flow"]
    points = [flow["from_point"].iloc[0], *flow["to_point"]]
    sae = tables["sae"].query("best").drop_duplicates(["point", "sae"])
    features = tables["features"]
    main = main_saes(sae)
    yield "| unexplained variance | " + " | ".join(short(main.loc[p, "fvu"]) for p in points) + " |"
    coverage = tables["feature_coverage"].set_index("point").loc[points]
    yield "| latents that fire, of 1024 | " + " | ".join(map(str, coverage["alive"])) + " |"
    for name, words in (("labelled", "features with a name"), ("confirmed", "... confirmed")):
        cells = [
            f"{row[name]:.0%} ({row[f'{name}_low']:.0%} to {row[f'{name}_high']:.0%})"
            for _, row in coverage.iterrows()
        ]
        cells = [cell.replace("%", " %") for cell in cells]
        yield f"| {words} (with another seed) | " + " | ".join(cells) + " |"
    counts = []
    for point in points:
        columns = features.loc[features["point"] == point, "column"].value_counts()
        names = ("octave", "pitch", "instrument", "pitch_class")
        counts.append(", ".join(str(int(columns.get(name, 0))) for name in names))
    yield "octave, pitch, instrument, pitch class | " + " | ".join(counts) + " |"
    recovered = [main.loc[p, "loss_recovered"] for p in points]
    told = ["the layer is not needed" if pd.isna(value) else short(value) for value in recovered]
    yield "| loss recovered by the reconstruction | " + " | ".join(told) + " |"
    shares = tables["feature_seeds"].set_index("point").loc[points, "share"]
    yield "match in only " + listed(f"{100 * share:.0f}" for share in shares) + " %"
    yield f"{listed(flow['matched'])} features of one point match the next"
    beyond = listed(f"{value:.0f}" for value in flow["deaths_beyond"])
    yield f"of {listed(flow['deaths'])} deaths, {beyond} are beyond"
    beyond = listed(f"{value:.0f}" for value in flow["births_beyond"])
    yield f"of {listed(flow['births'])} births {beyond}"
    changed = flow[["deaths_beyond", "births_beyond"]].max(axis=1)
    assert changed.iloc[0] < 25 < 100 < changed.iloc[1:].min(), "it changes from step 64 on"
    named = coverage["labelled"].to_numpy()
    assert named[1] - named[0] < 0.15 * (named[-1] - named[0]), "names come from step 64 on"
    assert sae["best_at_edge"].all(), "two learning rates: every one is at the grid's edge"
    greatest = (sae["lr"] == tables["sae"]["lr"].max()).sum()
    yield f"for {greatest} of {len(sae)} SAEs the greater"


def listed(values):
    """1, 2 and 3"""
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}"


def spread(values):
    """.19 to .24"""
    return f"{short(values.min())} to {short(values.max())}"


def main_saes(sae):
    """The main SAE of each point: the first expansion, k and normalisation of the config."""
    first = sae.iloc[0]
    keys = {"kind", "expansion", "k", "normalise", "seed"} & set(sae)
    same = [(sae[key] == first[key]) for key in sorted(keys)]
    return sae[pd.concat(same, axis=1).all(axis=1)].set_index("point")


if __name__ == "__main__":
    keep(sys.argv[1])
