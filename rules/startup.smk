# What happens before anything is planned -- how Snakemake behaves here, and the checked config.
# Included by common.smk alone.

import os
import sys
import time
from pathlib import Path

import psutil
import snakemake.benchmark
import snakemake.jobs
from snakemake.exceptions import WorkflowError
from snakemake.persistence.db import DbPersistence

# Relative to this file, not to the main Snakefile: another workflow may use this one as a module.
ROOT = Path(workflow.current_basedir).resolve().parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
os.environ.update(RASEN_CHECKOUT=str(ROOT))  # for envs/*.post-deploy.sh

from rasen.errors import RasenError
from rasen.io.group import keep_group_rights
from rasen.songs import corpus
from rasen.study import archive, config as configs, planned
from rasen.study.cluster_plugin import settle_cluster
from rasen.study.config_file import require_plain
from rasen.study.records import tell_why_not_written
from rasen.study.retries import stop_vain_retries
from rasen.study.routes import table_of_points
from rasen.study.slurm_status import settle_status_command
from rasen.study.warm_start import count_warm_jobs, offer_warm_start

# Snakemake files its records under the path of the working directory. With a fixed name they remain
# valid for results that are copied, moved or unpacked elsewhere.
DbPersistence.namespace = property(
    lambda self: archive.NAMESPACE, lambda self, path: None
)
tell_why_not_written(DbPersistence, WorkflowError)

if {"{", "}"} & set(str(ROOT)):
    raise WorkflowError(
        f"{ROOT}: Snakemake takes braces in a path for variables; move it"
    )

BEGUN = time.time()
CODES = []  # of all jobs that were planned
stop_vain_retries(snakemake.jobs, BEGUN)
offer_warm_start(os.environ, local=not workflow.remote_exec)
count_warm_jobs(snakemake.benchmark, psutil)
if slurm := sys.modules.get("snakemake_executor_plugin_slurm"):
    settle_status_command(slurm)
if generic := sys.modules.get("snakemake_executor_plugin_cluster_generic"):
    settle_cluster(generic, ROOT / "workflow/cluster")

try:
    require_plain([*workflow.configfiles, "config/config.yaml"])
except RasenError as error:
    raise WorkflowError(str(error)) from None


configfile: "config/config.yaml"


# A job on a cluster's node reads the config as it was when its run was planned.
PLAN = None if workflow.is_main_process else planned.plan_of_run(os.environ)
try:
    if PLAN:
        planned.require_same_files(PLAN)
        config = PLAN.config
    else:
        config = configs.load_config(
            config, ROOT / "workflow/schemas/config.schema.yaml"
        )
    points = table_of_points(config)
    SONGS = config.get("songs")
    SCORES = config.get("scores")
    BATCHES = corpus.song_batches(SONGS)
except RasenError as error:
    raise WorkflowError(str(error)) from None

Path("results").mkdir(exist_ok=True)  # Snakemake keeps its provenance database there
keep_group_rights("results")
