# Activations: every layer's output of a model at a point, for every clip.
#   needs    results/inputs/{model}/{stimuli}.h5, the weights of {point}
#   makes    results/activations/{model}/{point}/{stimuli}.h5    and a .json that describes it: `all`
#            requests only the .json, so the large file may be deleted or left out of a copy


rule dump_activations:
    """Run a model at a point over a stimulus set and store its layers' outputs."""
    input:
        weights=managed_weights,
        certificate=certificate,
        inputs="results/inputs/{model}/{stimuli}.h5",
        corrected=corrected,
        statistics=batch_norm_inputs,
    output:
        activations="results/activations/{model}/{point}/{stimuli}.h5",
        description="results/activations/{model}/{point}/{stimuli}.json",
    log:
        "logs/dump_activations/{model}/{point}/{stimuli}.log",
    benchmark:
        "results/benchmarks/dump_activations/{model}/{point}/{stimuli}.tsv"
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
        recipe=recipe_json("activations"),
        settings=settings("activations"),
        code=code("dump_activations.py", environment),
    shell:
        "rasen {params.env} dump_activations.py --recipe {params.recipe:q} --inputs {input.inputs}"
        " --certificate {input.certificate} --activations {output.activations}"
        " --description {output.description} --model {wildcards.model} --settings {params.settings:q} --code {params.code}"
        " --device {resources.device} --gpus {resources.gpu} --batch {resources.batch} > {log} 2>&1"


rule activations:
    """The activations of every model at every point."""
    input:
        per_point("results/activations/{model}/{point}/{stimuli}.h5", "activations"),
