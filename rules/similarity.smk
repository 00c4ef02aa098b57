# Similarity: how alike layers, points and models are on one set of clips.
#   needs    probes.similarity, results/activations/{model}/{point}/{stimuli}.h5 of models probed on that set
#   makes    results/tables/similarity.parquet    results/figures/probes/{model}/similarity-{measure}.svg


SIMILARITY = config["probes"]["similarity"] or {"stimuli": "none", "measures": []}


rule measure_similarity:
    """How alike the layers of a point are, to each other, to the trained ones, to other models'."""
    input:
        activations=f"results/activations/{{model}}/{{point}}/{SIMILARITY['stimuli']}.h5",
        others=lambda wildcards: probed.compared_with(
            config, wildcards.model, wildcards.point
        ),
    output:
        rows="results/similarity/{model}/{point}.parquet",
    log:
        "logs/measure_similarity/{model}/{point}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        measures=SIMILARITY["measures"],
        seed=config["seed"],
        code=code("measure_similarity.py"),
    shell:
        "rasen core measure_similarity.py --activations {input.activations} --others {input.others}"
        " --measures {params.measures} --model {wildcards.model} --point {wildcards.point}"
        " --seed {params.seed} --rows {output.rows} > {log} 2>&1"


rule gather_similarity:
    """One table of all similarities."""
    input:
        rows=probed.per_compared_point(
            config, points, "results/similarity/{model}/{point}.parquet"
        ),
    output:
        table="results/tables/similarity.parquet",
    log:
        "logs/gather_similarity.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("gather_similarity.py"),
    shell:
        "rasen core gather_similarity.py --rows {input.rows} --table {output.table} > {log} 2>&1"


rule plot_similarity:
    """How alike the layers of a model are, as maps."""
    input:
        table="results/tables/similarity.parquet",
    output:
        figure=report(
            "results/figures/probes/{model}/similarity-{measure}.svg",
            caption="../workflow/report/similarity.rst",
            category="Probes",
            labels={"model": "{model}", "figure": "How alike layers are ({measure})"},
        ),
    log:
        "logs/plot_similarity/{model}-{measure}.log",
    wildcard_constraints:
        measure="cka|pwcca",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        code=code("plot_similarity.py"),
    shell:
        "rasen core plot_similarity.py --table {input.table} --model {wildcards.model}"
        " --measure {wildcards.measure} --figure {output.figure} > {log} 2>&1"
