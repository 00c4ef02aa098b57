"""What every file, table and column of results/ means: the source of the pages that say so."""
