# Lens: the loss of every layer, read by the model's own final norm and heads.
#   needs    probes.lens, results/inputs/{model}/{D_eval}.h5, the weights of {point}
#   makes    results/tables/lens.parquet    results/figures/lens/{model}.svg


LENSED = dict(probed.lensed_points(config, points))  # by model


rule measure_lens:
    """The loss of every layer, read by the model's own final norm and heads."""
    input:
        weights=managed_weights,
        certificate=certificate,
        inputs=lambda wildcards: f"results/inputs/{{model}}/{MODELS[wildcards.model]['perplexity']}.h5",
        corrected=corrected,
        statistics=batch_norm_inputs,
    output:
        rows="results/lens/{model}/{point}.parquet",
    log:
        "logs/measure_lens/{model}/{point}.log",
    benchmark:
        "results/benchmarks/measure_lens/{model}/{point}.tsv"
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
        bootstrap=config["perplexity"]["bootstrap"],
        seed=config["seed"],
        code=code("measure_lens.py", environment),
    shell:
        "rasen {params.env} measure_lens.py --recipe {params.recipe:q} --inputs {input.inputs}"
        " --model {wildcards.model} --point {wildcards.point} --bootstrap {params.bootstrap}"
        " --seed {params.seed} --rows {output.rows} --device {resources.device}"
        " --gpus {resources.gpu} --batch {resources.batch} > {log} 2>&1"


rule gather_lens:
    """One table of the losses of all layers."""
    input:
        points="results/tables/points.parquet",
        rows=[
            f"results/lens/{model}/{point}.parquet"
            for model, point in probed.lensed_points(config, points)
        ],
    output:
        table="results/tables/lens.parquet",
    log:
        "logs/gather_lens.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("gather_lens.py"),
    shell:
        "rasen core gather_lens.py --rows {input.rows} --points {input.points}"
        " --table {output.table} > {log} 2>&1"


rule plot_lens:
    """The perplexity of every layer along a model's routes."""
    input:
        table="results/tables/lens.parquet",
    output:
        figure=report(
            "results/figures/lens/{model}.svg",
            caption="../workflow/report/lens.rst",
            category="Probes",
            labels={"model": "{model}", "figure": "Perplexity of every layer"},
        ),
    log:
        "logs/plot_lens/{model}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("plot_lens.py"),
    shell:
        "rasen core plot_lens.py --table {input.table} --model {wildcards.model}"
        " --figure {output.figure} > {log} 2>&1"
