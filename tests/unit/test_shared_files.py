"""Which files an archive holds: what is on no list never travels."""

import os
import re
import zipfile
from pathlib import Path

import pytest
from study import ROOT

from rasen.study.archive import pack_archive
from rasen.study.shared_files import ASKED, DATABASE, group_of

EVERY_GROUP = [*ASKED]
PLAIN = (
    "README.md", "config.yaml", "report/report.html", "tables/helix.parquet", "tables/scores.md",
    "figures/helix/nano/alpha.svg", "figures/songs.svg", "stimuli/notes.parquet",
    "notes/rendered/notes.parquet", "explorer/index.html", "explorer/js/views/helix.js",
    "explorer/vendor/README.txt", "explorer/data/points/0.js",
    "perplexity/nano/trained.parquet", "helix/nano/trained.notes.parquet",
    "activations/nano/trained/notes.json", "probes/nano/trained/notes.draws.h5",
    "sae/nano/trained/layer-04/features.parquet", "songs/river/.align_lyrics.json",
)  # fmt: skip
GROUPED = {
    "activations/nano/trained/notes.h5": "activations",
    "spectra/notes.h5": "activations",
    "sae/nano/trained/layer-04/sae/sae_weights.safetensors": "saes",
    "inputs/nano/notes.h5": "tokens",
    "shards/00000.h5": "latents",
    "songs/river/latents-mono.npy": "latents",
    "songbloom/requests.h5": "latents",
    "songbloom/toy/songs/step-000200/songs.h5": "latents",
    "tables/words.parquet": "lyrics",
    "tables/lines.parquet": "lyrics",
    "songs/river/alignment.json": "lyrics",
    "explorer/data/song_lyrics/0.js": "lyrics",
    "songs/river/phonemes.json": "lyrics",
    "songbloom/toy/songs/step-000200/river--seed-0.flac": "generated",
}
KEPT = (
    "explorer/data/recorded_sounds/0.js", "notes/recorded/mine.parquet", "notes/recorded/mine.mp3",
    "songs/river/vocals.flac", "songs/river/accompaniment.flac", "listening/001.flac",
    "scores/songs/real--river/vocals.flac", "export/nano/trained/model.safetensors",
    "songbloom/toy/weights/step-000200/model.safetensors", "gradient/nano/p.safetensors",
    "inputs/nano/notes.parts/0.h5", "tables/helix.parquet.partial",
    "sae/nano/trained/layer-04/notes/01.wav", "weights/nano/trained.tsv", "songbloom/toy/start.tsv",
)  # fmt: skip
FOREIGN = (
    "notes.txt", "id_rsa", "tables/private.xlsx", "tables/deep/er.parquet", "figures/a.png",
    "songs/river/lyrics.txt", ".env", "README.md.orig", "report/other.html", "x/tables/a.parquet",
    "explorer/a.parquet",
)  # fmt: skip


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder with one file of every sort; its content is its name."""
    monkeypatch.chdir(tmp_path)
    for name in (*PLAIN, *GROUPED, *KEPT, *FOREIGN):
        path = Path("results") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return Path("results")


def names(**settings):
    pack_archive("results/share.zip", {"license": "", "with": [], **settings})
    with zipfile.ZipFile("results/share.zip") as file:
        return {name.removeprefix("results/") for name in file.namelist()} - {
            "manifest-sha256.txt",
            "ro-crate-metadata.json",
        }


def test_only_what_is_listed_is_packed(results, capsys):
    assert names() == set(PLAIN)
    told = capsys.readouterr().out
    assert f"packed: {len(PLAIN)} files" in told
    assert "`share: {with: [lyrics]}` packs them" in told
    assert "never packed: recordings, 8 files" in told
    for name in FOREIGN:
        assert f"not packed: results/{name} (not a file of the workflow's)" in told


@pytest.mark.parametrize("group", ASKED)
def test_what_is_asked_for_by_name_is_packed_too(results, group):
    asked = {name for name, its in GROUPED.items() if its == group}
    assert asked
    assert names(**{"with": [group]}) == set(PLAIN) | asked


def test_links_are_never_followed(results, capsys):
    secret = results.parent / "secret.parquet"
    secret.write_text("a private key")
    (results / "tables/link.parquet").symlink_to(secret.resolve())
    outside = results.parent / "outside"
    outside.mkdir()
    (outside / "inner.svg").write_text("<svg/>")
    (results / "figures/more").symlink_to(outside.resolve())
    os.symlink("helix.parquet", results / "tables/alias.parquet")  # even where it stays inside
    assert names(**{"with": EVERY_GROUP}) == set(PLAIN) | set(GROUPED)
    assert "results/tables/link.parquet (a link)" in capsys.readouterr().out


def test_a_sheet_that_is_a_link_stays(results):
    Path("config").mkdir()
    Path("config/songs.tsv").write_text("song\n")
    Path("config/other.tsv").symlink_to("/etc/hostname")
    also = [
        Path("config/songs.tsv"),
        Path("config/other.tsv"),
        Path("../up.tsv"),
        Path("/etc/group"),
    ]
    pack_archive("results/share.zip", {"license": "", "with": []}, also)
    with zipfile.ZipFile("results/share.zip") as file:
        outside = {name for name in file.namelist() if not name.startswith("results/")}
    assert outside == {"config/songs.tsv", "manifest-sha256.txt", "ro-crate-metadata.json"}


def test_names_cannot_climb_into_a_list():
    for name in ("results/tables/../secret.parquet", "/results/README.md", "results/tables//x.md"):
        assert group_of(name) is None
    assert group_of(DATABASE) == ""
    assert group_of("results/activations/a\nb.json") == ""  # a strange name is still one file


@pytest.mark.parametrize(
    "name",
    [
        "results/tables/memo.md",
        "results/tables/private_notes.parquet",
        "results/figures/mine/a.svg",
    ],
)
def test_what_no_rule_makes_never_travels(name):
    assert group_of(name) is None


def test_every_table_and_figure_of_a_rule_travels_or_is_asked_for():
    rules = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    made = set(re.findall(r'"(results/tables/\w+\.(?:parquet|md))"', rules))
    made |= {
        name.replace("{model}", "m").replace("{run}", "m").replace("{name}", "m")
        for name in re.findall(r'"(results/figures/[^"]+\.svg)"', rules)
    }
    assert len(made) > 30
    assert [name for name in sorted(made) if group_of(name) is None] == []


def test_odd_names_are_told_and_not_packed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("results/activations").mkdir(parents=True)
    Path("results/README.md").write_text("# Results")
    for name in ("a:b.json", "a\\b.json", "a\nb.json", "\udcff.json"):
        (Path("results/activations") / name).write_text("{}")
    pack_archive("results/share.zip", {"license": "", "with": []})
    with zipfile.ZipFile("results/share.zip") as file:
        assert not [name for name in file.namelist() if "activations" in name]
    assert (
        capsys.readouterr().out.count("a name with characters that an archive must not have") == 4
    )
