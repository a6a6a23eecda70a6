# model-serving reads its own secrets and nothing else.
path "secret/data/mlops/model-serving" {
  capabilities = ["read"]
}

# Its own short-lived MongoDB user, where the database engine makes them.
path "database/creds/model-serving" {
  capabilities = ["read"]
}
