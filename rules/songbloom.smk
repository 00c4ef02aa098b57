# SongBloom: trained on the songs' windows, step by step.
#   needs    songbloom.runs, results/tables/songs.parquet, results/shards/{batch}.h5
#   makes    results/songbloom/{run}/{weights/step-{step}/,start.json}, results/tables/training.parquet
#   besides  results/songbloom/{run}/tensorboard/, no output: those of a failed job are deleted

RUNS = config["songbloom"]["runs"]
GENERATE = config["songbloom"]["generate"]
GENERATED = (  # all that `snakemake generated` makes
    [
        "results/tables/generated.parquet",
        "results/tables/generated_left_out.parquet",
        *generation.per_generated(
            config, "results/songbloom/{run}/songs/step-{step}/sheet.tsv"
        ),
    ]
    if GENERATE
    else []
)


wildcard_constraints:
    run="|".join(map(re.escape, RUNS)) or "none",


use rule check_weights as check_start with:
    # the checkpoint that a run goes on from
    input:
        lambda wildcards: checkpoints.made_by_rule(RUNS[wildcards.run]["init_from"])
        or [],
    output:
        certificate="results/songbloom/{run}/start.json",
        kept="results/songbloom/{run}/start.tsv",
    log:
        "logs/check_start/{run}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * RUNS[wildcards.run]["memory"],
        runtime=growing(30),
    params:
        env="core",
        needs="runs",
        folder=lambda wildcards: checkpoints.local_folder(
            RUNS[wildcards.run]["init_from"]
        ),
        reader=SONGBLOOM_READER,
        expected="{}",
        own=lambda wildcards: own_hashes(
            [(RUNS[wildcards.run]["init_from"], SONGBLOOM_FILES)],
            f"results/songbloom/{wildcards.run}/start.json",
        ),
        files=lambda wildcards: named_files(
            [(RUNS[wildcards.run]["init_from"], SONGBLOOM_FILES)]
        ),
        code=code("check_weights.py"),


rule train_songbloom:
    """Train a SongBloom; a run that was killed goes on from its last state."""
    input:
        index="results/tables/songs.parquet",
        shards=per_batch("results/shards/{batch}.h5"),
        codebook=SONGS["sketch"]["codebook"] or rules.train_codebook.output.codebook,
        start=lambda wildcards: (
            f"results/songbloom/{wildcards.run}/start.json"
            if RUNS[wildcards.run]["init_from"]
            else []
        ),
    output:
        weights=directory("results/songbloom/{run}/weights"),
        table="results/songbloom/{run}/training.parquet",
    log:
        "logs/train_songbloom/{run}.log",
    benchmark:
        "results/benchmarks/train_songbloom/{run}.tsv"
    conda:
        "../envs/core.yaml"
    threads: lambda wildcards: RUNS[wildcards.run]["processes"]
    resources:
        mem_mb=lambda wildcards, attempt: attempt * RUNS[wildcards.run]["memory"],
        runtime=lambda wildcards, attempt: attempt * RUNS[wildcards.run]["runtime"],
        gpu=run_gpus,
        gres=of_nodes("gres"),
        nodes=of_nodes("nodes"),
        tasks=of_nodes("tasks"),
        tasks_per_gpu=of_nodes("tasks_per_gpu"),
        mpi=of_nodes("mpi"),
        device=lambda wildcards: RUNS[wildcards.run]["device"],
    params:
        needs=lambda wildcards: (
            "songs runs" if RUNS[wildcards.run]["init_from"] else "songs"
        ),
        settings=lambda wildcards: targets.run_settings(config, wildcards.run),
        processes=lambda wildcards: RUNS[wildcards.run]["processes"],
        nodes=lambda wildcards: RUNS[wildcards.run]["nodes"],
        vocabulary=lambda wildcards: targets.vocabulary_argument(SONGS),
        code=code("train_songbloom.py"),
    shell:
        "rasen core train_songbloom.py --run {wildcards.run} --index {input.index}"
        " --codebook {input.codebook:q} {params.vocabulary} --settings {params.settings:q}"
        " --state results/songbloom/{wildcards.run}/state"
        " --events results/songbloom/{wildcards.run}/tensorboard --weights {output.weights}"
        " --table {output.table} --device {resources.device} --processes {params.processes}"
        " --nodes {params.nodes}"
        " > {log} 2>&1"


rule gather_training:
    """The losses of all runs in one table."""
    input:
        rows=expand("results/songbloom/{run}/training.parquet", run=RUNS),
    output:
        table="results/tables/training.parquet",
    log:
        "logs/gather_training.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("gather_training.py"),
    shell:
        "rasen core gather_training.py --rows {input.rows} --table {output.table} > {log} 2>&1"


rule plot_training:
    """The losses of a run."""
    input:
        table="results/tables/training.parquet",
    output:
        figure=report(
            "results/figures/training/{run}.svg",
            caption="../workflow/report/training.rst",
            category="SongBloom",
            labels={"run": "{run}", "figure": "Losses of the training run"},
        ),
    log:
        "logs/plot_training/{run}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("plot_training.py"),
    shell:
        "rasen core plot_training.py --table {input.table} --run {wildcards.run}"
        " --figure {output.figure} > {log} 2>&1"


rule songbloom:
    """Every training run of SongBloom, its losses as a table and as a figure, and its songs."""
    input:
        GENERATED,
        expand("results/songbloom/{run}/weights", run=RUNS),
        "results/tables/training.parquet",
        expand("results/figures/training/{run}.svg", run=RUNS),
