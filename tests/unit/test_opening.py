"""An archive from somebody else: taken whole, or refused whole with every reason."""

import hashlib
import random
import shutil
import sqlite3
import zipfile
from pathlib import Path

import pytest

from rasen.errors import RasenError, short
from rasen.study.archive import MANIFEST, METADATA, pack_archive
from rasen.study.opening import config_of, open_archive, paths_outside
from rasen.study.shared_files import DATABASE

CONFIG = "seed: 1\nmodels: {m: {family: musicgen, weights: /secret/model, gradient: ../x}}\n"


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive as `snakemake share` packs it."""
    home = tmp_path / "home"
    (home / "results/tables").mkdir(parents=True)
    (home / "config").mkdir()
    monkeypatch.chdir(home)
    Path("results/tables/helix.parquet").write_text("numbers")
    Path("results/README.md").write_text("# Results")
    Path("config/config.yaml").write_text(CONFIG)
    records = sqlite3.connect(DATABASE)
    for table in ("snakemake_locks", "snakemake_persistence_db_settings"):
        records.execute(f"CREATE TABLE {table} (target TEXT)")
    records.execute("CREATE TABLE snakemake_metadata (target TEXT, incomplete INT, external_jobid)")
    records.commit()
    records.close()
    pack_archive("results/share.zip", {"with": [], "license": "x"}, [Path("config/config.yaml")])
    return home / "results/share.zip"


def changed(archive, *, add=None, take=(), replace=None, mode=0, listed=True):
    """Write the archive again with other files; `listed`: their checksums are in order."""
    with zipfile.ZipFile(archive) as file:
        content = {name: file.read(name) for name in file.namelist()}
    content = {name: data for name, data in content.items() if name not in take}
    content |= {name: data.encode() for name, data in (replace or {}).items()}
    if listed:
        lines = [
            f"{hashlib.sha256(data).hexdigest()}  {name}"
            for name, data in {**content, **{n: d.encode() for n, d in (add or {}).items()}}.items()
            if name not in (MANIFEST, METADATA)
        ]
        if MANIFEST not in take:
            content[MANIFEST] = "\n".join(lines).encode()
    with zipfile.ZipFile(archive, "w") as file:
        for name, data in content.items():
            file.writestr(name, data)
        for name, data in (add or {}).items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            file.writestr(entry, data)


def refusal(archive, folder):
    """Why it is refused; nothing is left of it."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(RasenError) as error:
        open_archive(archive, folder)
    assert sorted(folder.parent.rglob("*")) == before
    return str(error.value)


def test_what_was_packed_is_opened(archive, tmp_path):
    folder = tmp_path / "studies/theirs"
    open_archive(archive, folder)
    assert (folder / "results/tables/helix.parquet").read_text() == "numbers"
    assert (folder / DATABASE).exists()
    assert [path.name for path in folder.parent.iterdir()] == ["theirs"]
    assert set(paths_outside(config_of(folder))) == {"/secret/model", "../x"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../outside.txt", "a path that may leave the folder"),
        ("results/../../outside.txt", "a path that may leave the folder"),
        ("/etc/rasen.yaml", "a path that may leave the folder"),
        ("results//README.md", "a path that may leave the folder"),
        ("C:\\x.yaml", "a name with characters that no file of ours has"),
        ("results/tables/a\nb.parquet", "a name with characters that no file of ours has"),
        ("results/run.sh", "not a file that `snakemake share` packs"),
        ("results/songs/river/vocals.flac", "not a file that `snakemake share` packs"),
        ("Snakefile", "neither a config nor a sheet"),
        ("config/evil.py", "neither a config nor a sheet"),
        ("profiles/default/profile.yaml", "neither a config nor a sheet"),
        ("Profiles/default/profile.yaml", "neither a config nor a sheet"),
        ("default/config.yaml", "neither a config nor a sheet"),
        ("SLURM/config.yaml", "neither a config nor a sheet"),
        (".snakemake/config.yaml", "neither a config nor a sheet"),
        ("workflow/x.yaml", "neither a config nor a sheet"),
        ("results/README.md", "occurs twice"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_files_that_no_archive_of_ours_has(archive, tmp_path, name, told):
    changed(archive, add={name: "text"})
    text = refusal(archive, tmp_path / "theirs")
    assert f"'{short(name)}'" in text
    assert told in text


def test_a_bit_that_flips_is_refused_in_words(archive, tmp_path):
    whole = archive.read_bytes()
    rng = random.Random(0)
    for _ in range(200):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        archive.write_bytes(damaged)
        folder = tmp_path / "theirs"
        try:
            open_archive(archive, folder)
        except RasenError:
            assert not folder.exists()
        else:  # bits that mean nothing: dates, for instance
            shutil.rmtree(folder)
    assert not list(tmp_path.glob(".opening-*"))


def test_a_file_where_a_folder_is_needed(archive, tmp_path):
    changed(archive, add={"config/a.tsv": "x", "config/a.tsv/b.tsv": "x"})
    assert "config/a.tsv/b.tsv: cannot be unpacked" in refusal(archive, tmp_path / "theirs")


@pytest.mark.parametrize("name", ["config/config.yaml", "config/more.json"])
def test_templates_are_refused_wherever_they_are(archive, tmp_path, name):
    changed(archive, replace={name: "<<: {__use_yte__: true}\nseed: 1\n"})
    assert "says `__use_yte__`" in refusal(archive, tmp_path / "theirs")


def test_names_from_elsewhere_are_shown_short_and_plain(archive, tmp_path):
    changed(archive, add={"config/" + "x" * 5000 + "\x1b[31m.py": "x"})
    text = refusal(archive, tmp_path / "theirs")
    assert len(text) < 600
    assert "\x1b" not in text


def test_links_are_refused(archive, tmp_path):
    changed(archive, add={"results/tables/link.parquet": "/etc/passwd"}, mode=0o120777)
    assert "a link or a folder, not a file" in refusal(archive, tmp_path / "theirs")


def test_a_file_that_was_changed_is_told(archive, tmp_path):
    changed(archive, replace={"results/README.md": "# Other results"}, listed=False)
    assert f"results/README.md: is not as {MANIFEST} says" in refusal(archive, tmp_path / "theirs")


def test_files_without_a_checksum_and_checksums_without_a_file(archive, tmp_path):
    changed(
        archive, add={"results/tables/lens.parquet": "x"}, take=["results/README.md"], listed=False
    )
    text = refusal(archive, tmp_path / "theirs")
    assert f"results/tables/lens.parquet: is not as {MANIFEST} says" in text
    assert "results/README.md: is missing" in text


def test_any_zip_is_not_an_archive_of_ours(archive, tmp_path):
    changed(archive, take=[MANIFEST, METADATA])
    assert "only archives of `snakemake share` can be opened" in refusal(archive, tmp_path / "x")


def test_a_cut_archive_is_refused(archive, tmp_path):
    archive.write_bytes(archive.read_bytes()[:-200])
    assert "is not a whole zip archive" in refusal(archive, tmp_path / "theirs")


@pytest.mark.parametrize("name", ["config/config.yaml", "config/other.yml", "studies/deep.yaml"])
def test_a_config_that_runs_code_is_refused(archive, tmp_path, name):
    template = '__use_yte__: true\nseed: ?__import__("os").system("touch /tmp/pwned")\n'
    if name == "config/config.yaml":
        changed(archive, replace={name: template})
    else:
        changed(archive, add={name: template})
    assert "such a file runs code when it is read" in refusal(archive, tmp_path / "theirs")


def test_records_hold_rows_alone(archive, tmp_path):
    records = sqlite3.connect(DATABASE)
    records.execute(
        "CREATE TRIGGER t AFTER INSERT ON snakemake_locks BEGIN DELETE FROM snakemake_metadata; END"
    )
    records.commit()
    records.close()
    pack_archive(archive, {"with": [], "license": "x"})
    assert "has a trigger 't'" in refusal(archive, tmp_path / "theirs")


def test_records_that_are_no_database(archive, tmp_path):
    changed(archive, replace={DATABASE: "text" * 300})
    assert f"{DATABASE}: is not a database" in refusal(archive, tmp_path / "theirs")


def test_a_folder_in_use_is_left_alone(archive, tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    assert "is not empty; name a new folder" in refusal(archive, folder)
    assert (folder / "mine.txt").read_text() == "mine"


def test_what_would_fill_the_disk_is_told_before(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Free", (), {"free": 10})())
    assert "0.0 GB are free" in refusal(archive, tmp_path / "theirs")
