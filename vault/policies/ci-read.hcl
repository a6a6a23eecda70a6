# ci-read reads its own secrets and nothing else.
path "secret/data/mlops/ci-read" {
  capabilities = ["read"]
}
