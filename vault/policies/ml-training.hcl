# ml-training reads its own secrets and nothing else.
path "secret/data/mlops/ml-training" {
  capabilities = ["read"]
}
