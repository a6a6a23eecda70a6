# serving-analysis reads its own secrets and nothing else.
path "secret/data/mlops/serving-analysis" {
  capabilities = ["read"]
}
