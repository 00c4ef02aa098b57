"""What a config asks for: models, points, recipes, files, checks before a run, records to share."""
