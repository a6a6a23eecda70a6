# monitor reads its own secrets and nothing else.
path "secret/data/mlops/monitor" {
  capabilities = ["read"]
}

# Its own short-lived MongoDB user, where the database engine makes them.
path "database/creds/monitor" {
  capabilities = ["read"]
}
