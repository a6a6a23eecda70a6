# spark-preprocess reads its own secrets and nothing else.
path "secret/data/mlops/spark-preprocess" {
  capabilities = ["read"]
}
