# monitor reads its own secrets and nothing else.
path "secret/data/mlops/monitor" {
  capabilities = ["read"]
}
