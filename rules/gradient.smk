# Gradient: the linear points after gradient steps on unlabelled data D [Sato et al. 2026, eq. 4].
#   needs    results/inputs/{model}/{D}.h5, routes.gradient
#   makes    results/gradient/{model}/{point}.parquet    results/tables/gradient.parquet


rule correct_gradient:
    """Take steps against the gradient of the model's own loss over D."""
    input:
        weights=managed_weights,
        certificate="results/weights/{model}/trained.json",
        statistics=batch_norm_inputs,
        inputs=lambda wildcards: f"results/inputs/{{model}}/{MODELS[wildcards.model]['gradient']['data']}.h5",
    output:
        corrected=temp("results/gradient/{model}/{point}.safetensors"),
        losses="results/gradient/{model}/{point}.parquet",
    log:
        "logs/correct_gradient/{model}/{point}.log",
    benchmark:
        "results/benchmarks/correct_gradient/{model}/{point}.tsv"
    conda:
        conda_file
    threads: of_model("threads")
    resources:
        mem_mb=growing("memory"),
        runtime=growing("runtime"),
        gpu=model_gpus,
        device=of_model("device"),
        batch=lambda wildcards: MODELS[wildcards.model]["gradient"]["batch"]
        or MODELS[wildcards.model]["batch"],
        checkpointing=lambda wildcards: int(
            MODELS[wildcards.model]["gradient"]["checkpointing"]
        ),
    params:
        env=environment,
        needs="models",
        recipe=recipe_before_gradient,
        correction=lambda wildcards: to_json(correction(wildcards)),
        code=code("correct_gradient.py", environment),
    shell:
        "rasen {params.env} correct_gradient.py --recipe {params.recipe:q} --inputs {input.inputs}"
        " --correction {params.correction:q} --corrected {output.corrected} --losses {output.losses}"
        " --model {wildcards.model} --point {wildcards.point} --device {resources.device}"
        " --gpus {resources.gpu} --batch {resources.batch} --checkpointing {resources.checkpointing}"
        " > {log} 2>&1"


rule gather_gradient:
    """One table of all corrections: loss before and after, and how far the weights moved."""
    input:
        points="results/tables/points.parquet",
        losses=targets.per_gradient_point(
            points, "results/gradient/{model}/{point}.parquet"
        ),
    output:
        table="results/tables/gradient.parquet",
    log:
        "logs/gather_gradient.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("gather_gradient.py"),
    shell:
        "rasen core gather_gradient.py --losses {input.losses} --points {input.points}"
        " --table {output.table} > {log} 2>&1"


rule gradient:
    """The gradient routes."""
    input:
        "results/tables/gradient.parquet" if "gradient" in set(points["route"]) else [],
