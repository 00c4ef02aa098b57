"""The songs through SLURM: the same tables, few jobs, a song that fails is put aside."""

import re
import shutil

import pytest
import yaml
from allocations import cpus, megabytes, minutes
from song_study import songs_alone
from study import Study, end, profile_of_a_site

from rasen.io import parquet


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The profile of a site with partitions: `gpu` for rules that may run on one, else `main`."""
    profile = profile_of_a_site()
    profile["default-resources"]["slurm_partition"] = "main"
    for resources in profile["set-resources"].values():
        resources.pop("gpu_model", None)  # one entry, known by many names
    folder = tmp_path_factory.mktemp("profile")
    (folder / "profile.yaml").write_text(yaml.safe_dump(profile))
    return folder


@pytest.fixture(scope="module")
def runs(cluster, site, tmp_path_factory):
    """Two batches of two songs on this machine and on the cluster: (local, study, output, jobs)."""
    folder = tmp_path_factory.mktemp("songs")
    here, there = (songs_alone(folder / name) for name in ("here", "on a cluster"))
    for study in (here, there):
        study.edit(lambda config: config["songs"].update(batch=2))
    process = here.start("songs")
    try:
        output = there.snakemake(*cluster.profile, "--profile", site, "songs")
        end(process)
    finally:
        process.kill()
    return here, there, output, cluster.jobs(there)


def test_songs_have_the_tables_of_a_local_run(runs, cluster):
    local, study, *_ = runs
    names = ("recordings", "songs", "quarantine", "sections", "lines", "words")
    assert set(study.tables) == {f"{name}.parquet" for name in names}
    assert study.tables == local.tables
    for file in ("shards/00000.h5", "shards/00001.h5", "tables/songs.md"):
        made, expected = (one.folder / "results" / file for one in (study, local))
        assert made.read_bytes() == expected.read_bytes(), file
    assert study.planned("songs") == {}
    assert study.planned(*cluster.profile, "songs") == {}


def test_songs_that_fail_do_not_fail_the_run(runs):
    _, study, _, jobs = runs
    out = parquet.read_table(study.folder / "results/tables/quarantine.parquet").set_index("song")
    assert out["reason"].to_dict() == {"bare": "stems", "lost": "stems"}
    assert {job["JobState"] for job in jobs} == {"COMPLETED"}


def test_every_stage_of_the_songs_is_in_few_slurm_jobs(runs):
    """A batch's stages on a GPU are three SLURM jobs; those on a CPU are shared by batches."""
    *_, output, jobs = runs
    assert set(re.findall(r"localrule (\w+):", output)) == {"songs"}
    allotted = {}
    for job in jobs:
        name = re.fullmatch(r"rule_(\w+?)(_wildcards_\d+)?", job["Comment"])[1]
        request = (job["Partition"], megabytes(job), minutes(job))
        allotted.setdefault(name, []).append(request)
    assert allotted == {
        "demo_make_demo_models": [("main", 2000, 10)],
        "song_weights_check_song_weights": [("main", 500, 6 * 30)],  # of six models
        "recordings_measure_recordings": [("main", 1000 + 6000, 2 * 30)],
        "vocals_align_lyrics_separate_stems": [("gpu", 2000 + 6000, 2 * 30)] * 2,
        "sections_tag_structure": [("gpu", 2000 + 6000, 2 * 30)],
        "gather_recordings": [("main", 1000, 10)],
        "train_codebook": [("gpu", 2000 + 6000, 30)],
        "encode_sketch": [("gpu", 2000 + 6000, 30)] * 2,
        "encode_latents": [("gpu", 2000 + 6000, 30)] * 2,
        "shards_describe_music_write_phonemes_write_shard": [("main", 1000 + 6000, 2 * 150)],
        "stems_gather_sections_measure_peaks": [("main", 1000 + 6000, 10 + 2 * 30)],
        "index_index_songs_plot_songs_write_songs_card": [("main", 8000, 60 + 10 + 10)],
    }


def test_separation_and_alignment_share_a_gpu(runs, cluster, site, tmp_path):
    study = Study(shutil.copytree(runs[1].folder, tmp_path / "a folder", symlinks=True))
    study.edit(lambda config: config["songs"].update(device="cuda", threads=3))
    for stage in ("separate_stems", "align_lyrics"):
        (study.folder / f"results/batches/{stage}/00000.parquet").unlink()
    target = "results/batches/align_lyrics/00000.parquet"
    process = study.start(*cluster.profile, "--profile", site, "--retries", "0", "--", target)
    try:
        cluster.wait(study, "RUNNING")
    finally:
        process.kill()
    (job,) = cluster.jobs(study)
    cluster.cancel(job)
    assert (cpus(job), megabytes(job), minutes(job)) == (3, 2000 + 6000, 2 * 30)
    assert (job["TresPerJob"], job["Partition"]) == ("gres:gpu:1", "gpu")
