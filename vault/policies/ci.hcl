# ci reads its own secrets and nothing else.
path "secret/data/mlops/ci" {
  capabilities = ["read"]
}
