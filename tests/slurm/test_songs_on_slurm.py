"""The songs through SLURM: the same tables, few jobs, a song that fails is put aside."""

import re
from collections import Counter

import pytest
from song_study import songs_alone

from rasen.io import parquet


@pytest.fixture(scope="module")
def runs(cluster, tmp_path_factory):
    """Two batches of two songs on this machine and on the cluster: (local, study, output, jobs)."""
    folder = tmp_path_factory.mktemp("songs")
    here, there = (songs_alone(folder / name) for name in ("here", "on a cluster"))
    for study in (here, there):
        study.edit(lambda config: config["songs"].update(batch=2))
    here.snakemake("songs")
    output = there.snakemake(*cluster.profile, "songs")
    return here, there, output, cluster.jobs(there)


def test_songs_have_the_tables_of_a_local_run(runs, cluster):
    local, study, *_ = runs
    names = ("recordings", "songs", "quarantine", "lines", "words")
    assert set(study.tables) == {f"{name}.parquet" for name in names}
    assert study.tables == local.tables
    assert study.planned("songs") == {}
    assert study.planned(*cluster.profile, "songs") == {}
