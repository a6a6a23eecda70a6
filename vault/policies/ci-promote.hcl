# ci-promote reads its own secrets and nothing else.
path "secret/data/mlops/ci-promote" {
  capabilities = ["read"]
}
