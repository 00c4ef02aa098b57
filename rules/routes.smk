# Routes: the table of all points and their order.
#   needs    models, routes
#   makes    results/tables/points.parquet    results/README.md


rule list_points:
    """Every point of every route of every model, with its position."""
    output:
        table="results/tables/points.parquet",
    log:
        "logs/list_points.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        routes=json.dumps(routes_asked(config)),
        code=code("list_points.py"),
    shell:
        "rasen core list_points.py --routes {params.routes:q} --table {output.table} > {log} 2>&1"


rule write_readme:
    """Description of results/: folders, columns, units, how to load."""
    output:
        readme="results/README.md",
    log:
        "logs/write_readme.log",
    localrule: True
    conda:
        "../envs/core.yaml"
    params:
        code=code("write_readme.py"),
    shell:
        "rasen core write_readme.py --readme {output.readme} > {log} 2>&1"
