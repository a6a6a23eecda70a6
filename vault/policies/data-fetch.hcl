# data-fetch reads its own secrets and nothing else.
path "secret/data/mlops/data-fetch" {
  capabilities = ["read"]
}
