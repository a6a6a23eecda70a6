# ci-build reads its own secrets and nothing else.
path "secret/data/mlops/ci-build" {
  capabilities = ["read"]
}
