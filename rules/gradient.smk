# Gradient: the linear points after gradient steps on unlabelled data D [Sato et al. 2026, eq. 4].
#   needs    results/inputs/{model}/{D}.h5, routes.gradient
#   makes    results/gradient/{model}/{point}.parquet    results/tables/gradient.parquet


rule correct_gradient:
    """Take steps against the gradient of the model's own loss over D."""
    input:
        weights=managed_weights,
        certificate="results/weights/{model}/trained.json",
        inputs=lambda wildcards: f"results/inputs/{{model}}/{MODELS[wildcards.model]['gradient']}.h5",
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
        gpu=gpus,
        device=of_model("device"),
        batch=of_model("batch"),
    params:
        env=environment,
        needs="models",
        recipe=recipe_before_gradient,
        eta=config["routes"]["gradient"]["eta"],
        steps=config["routes"]["gradient"]["steps"],
        code=code("correct_gradient.py", environment),
    shell:
        "rasen {params.env} correct_gradient.py --recipe {params.recipe:q} --inputs {input.inputs}"
        " --eta {params.eta} --steps {params.steps} --corrected {output.corrected}"
        " --losses {output.losses}"
        " --model {wildcards.model} --point {wildcards.point} --device {resources.device} --batch {resources.batch}"
        " > {log} 2>&1"


rule gather_gradient:
    """One table of all corrections: loss before and after, and how far the weights moved."""
    input:
        points="results/tables/points.parquet",
        losses=collect(
            "results/gradient/{row.model}/{row.point}.parquet",
            row=lookup(query="route == 'gradient'", within=points),
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
    """The gradient route."""
    input:
        "results/tables/gradient.parquet" if "gradient" in set(points["route"]) else [],
