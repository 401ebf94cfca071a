"""Jobs as tasks of a Dask cluster."""
