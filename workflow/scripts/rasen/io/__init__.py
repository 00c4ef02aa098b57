"""Files: HDF5, parquet, sheets, sound, model inputs. Whole or absent, checked when read."""
