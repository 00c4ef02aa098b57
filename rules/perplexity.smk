# Perplexity: exp of the mean loss on held-out data, at every point of every route [Sato et al. 2026, eq. 5].
#   needs    results/inputs/{model}/{D_eval}.h5, the weights of {point}
#   makes    results/tables/{perplexity,guessers}.parquet    results/figures/perplexity/{model}.svg


rule measure_perplexity:
    """The loss of every held-out clip under a model at a point."""
    input:
        weights=managed_weights,
        certificate=certificate,
        inputs=lambda wildcards: f"results/inputs/{{model}}/{MODELS[wildcards.model]['perplexity']}.h5",
        corrected=corrected,
        statistics=batch_norm_inputs,
    output:
        losses="results/perplexity/{model}/{point}.parquet",
    log:
        "logs/measure_perplexity/{model}/{point}.log",
    benchmark:
        "results/benchmarks/measure_perplexity/{model}/{point}.tsv"
    conda:
        conda_file
    threads: of_model("threads")
    resources:
        mem_mb=growing("memory"),
        runtime=growing("runtime"),
        gpu=model_gpus,
        device=of_model("device"),
        batch=of_model("batch"),
    params:
        env=environment,
        needs="models",
        recipe=recipe_json(),
        code=code("measure_perplexity.py", environment),
    shell:
        "rasen {params.env} measure_perplexity.py --recipe {params.recipe:q} --inputs {input.inputs}"
        " --model {wildcards.model} --point {wildcards.point} --losses {output.losses}"
        " --device {resources.device} --gpus {resources.gpu} --batch {resources.batch} > {log} 2>&1"


rule guess_tokens:
    """The loss of the same clips under guessers that know no context, for comparison."""
    input:
        weights=managed_weights,
        certificate="results/weights/{model}/trained.json",
        inputs=lambda wildcards: f"results/inputs/{{model}}/{MODELS[wildcards.model]['perplexity']}.h5",
    output:
        losses="results/perplexity/{model}/guessers.parquet",
    log:
        "logs/guess_tokens/{model}.log",
    conda:
        conda_file
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        env=environment,
        needs="models",
        recipe=recipe_json("encode"),  # which tokens there are
        stimuli=of_model("perplexity"),
        code=code("guess_tokens.py", environment),
    shell:
        "rasen {params.env} guess_tokens.py --recipe {params.recipe:q} --inputs {input.inputs}"
        " --model {wildcards.model} --stimuli {params.stimuli} --losses {output.losses} > {log} 2>&1"


rule gather_perplexity:
    """Tables of all perplexities, per codebook and mean, with intervals over clips."""
    input:
        points="results/tables/points.parquet",
        losses=per_point("results/perplexity/{model}/{point}.parquet", "perplexity"),
        guesses=[
            f"results/perplexity/{name}/guessers.parquet"
            for name, model in MODELS.items()
            if model["perplexity"]
        ],
    output:
        table="results/tables/perplexity.parquet",
        guessers="results/tables/guessers.parquet",
    log:
        "logs/gather_perplexity.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        settings=settings("perplexity"),
        seed=config["seed"],
        code=code("gather_perplexity.py"),
    shell:
        "rasen core gather_perplexity.py --losses {input.losses} --guesses {input.guesses}"
        " --points {input.points} --settings {params.settings:q} --seed {params.seed}"
        " --table {output.table} --guessers {output.guessers} > {log} 2>&1"


rule plot_perplexity:
    """Perplexity along every route of a model, including the real training run."""
    input:
        table="results/tables/perplexity.parquet",
        guessers="results/tables/guessers.parquet",
    output:
        figure=report(
            "results/figures/perplexity/{model}.svg",
            caption="../workflow/report/perplexity.rst",
            category="Perplexity",
            labels={"model": "{model}", "figure": "Perplexity along every route"},
        ),
    log:
        "logs/plot_perplexity/{model}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("plot_perplexity.py"),
    shell:
        "rasen core plot_perplexity.py --table {input.table} --guessers {input.guessers}"
        " --model {wildcards.model} --figure {output.figure} > {log} 2>&1"


rule perplexity:
    """Perplexity tables and figures."""
    input:
        (
            rules.gather_perplexity.output
            if any(m["perplexity"] for m in MODELS.values())
            else []
        ),
        [
            f"results/figures/perplexity/{name}.svg"
            for name, model in MODELS.items()
            if model["perplexity"]
        ],
