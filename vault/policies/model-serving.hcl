# model-serving reads its own secrets and nothing else.
path "secret/data/mlops/model-serving" {
  capabilities = ["read"]
}
