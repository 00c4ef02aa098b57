# Models: their checkpoints, downloaded if needed and verified before anything runs.
#   needs    models.{model}.weights, models.{model}.checkpoints
#   makes    results/weights/{model}/{checkpoint}.{json,tsv}    and, when requested, results/export/


rule fetch_weights:
    """Download a checkpoint from the hub (on this machine: compute nodes may be offline)."""
    output:
        folder=directory("resources/models/{repository}"),
    log:
        "logs/fetch_weights/{repository}.log",
    wildcard_constraints:
        repository="|".join(map(re.escape, DOWNLOADS)) or "none",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        weights=lambda wildcards: DOWNLOADS[wildcards.repository][0],
        files=lambda wildcards: json.dumps(DOWNLOADS[wildcards.repository][1]),
    shell:
        "rasen core fetch_weights.py --weights {params.weights:q} --files {params.files:q} --folder {output.folder:q}"
        " > {log:q} 2>&1"


rule check_weights:
    """Verify a checkpoint: every file complete, every number finite; record a hash of each file."""
    input:
        managed_weights,
    output:
        certificate="results/weights/{model}/{checkpoint}.json",
        kept="results/weights/{model}/{checkpoint}.tsv",
    log:
        "logs/check_weights/{model}/{checkpoint}.log",
    conda:
        conda_file
    resources:
        mem_mb=growing("memory"),
        runtime=growing(30),
    params:
        env=environment,
        needs="models",
        folder=lambda wildcards: checkpoints.local_folder(
            checkpoints.weights_of_checkpoint(
                MODELS[wildcards.model], wildcards.checkpoint
            )
        ),
        reader=lambda wildcards: FAMILIES[MODELS[wildcards.model]["family"]].reader,
        expected=lambda wildcards: json.dumps(
            MODELS[wildcards.model]["sha256"]
            if wildcards.checkpoint == "trained"
            else {}
        ),
        own=lambda wildcards: own_weights(
            MODELS[wildcards.model],
            wildcards.checkpoint,
            f"results/weights/{wildcards.model}/{wildcards.checkpoint}.json",
        ),
        files=lambda wildcards: files_of_checkpoint(
            MODELS[wildcards.model], wildcards.checkpoint
        ),
        code=code("check_weights.py", environment),
    shell:
        "rasen {params.env} check_weights.py --folder {params.folder:q} --reader {params.reader}"
        " --expected {params.expected:q} --own {params.own:q} --files {params.files:q}"
        " --certificate {output.certificate} --kept {output.kept} > {log} 2>&1"


rule export_point:
    """Save a model at a point as a checkpoint folder that its own library can load."""
    input:
        weights=managed_weights,
        certificate=certificate,
        corrected=corrected,
        statistics=batch_norm_inputs,
    output:
        folder=directory("results/export/{model}/{point}"),
    log:
        "logs/export_point/{model}/{point}.log",
    conda:
        conda_file
    threads: of_model("threads")
    resources:
        mem_mb=growing("memory"),
        runtime=growing("runtime"),
    params:
        env=environment,
        needs="models",
        recipe=recipe_json("export"),
        code=code("export_point.py", environment),
    shell:
        "rasen {params.env} export_point.py --recipe {params.recipe:q} --folder {output.folder}"
        " > {log} 2>&1"
