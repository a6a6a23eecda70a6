"""Programs that run in pods of the cluster: the standard library alone, one file each."""
