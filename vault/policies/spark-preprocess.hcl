# spark-preprocess reads its own secrets and nothing else.
path "secret/data/mlops/spark-preprocess" {
  capabilities = ["read"]
}

# Its own short-lived MongoDB user, where the database engine makes them.
path "database/creds/spark-preprocess" {
  capabilities = ["read"]
}
