#!/usr/bin/env bash
# Brings a new Kubernetes cluster to where Argo CD takes over: docs/operations.md, "From nothing".
#
#     argo-apps/bootstrap.sh staging|production [--dry-run]
#
# It may be run again at any time. --dry-run prints the commands and runs none. MLFLOW_VALUES may
# name a file of values for MLflow's chart: its database and its bucket.
set -euo pipefail
cd "$(dirname "$0")/.."

ARGO_CD=v3.5.1
ARGO_CD_SHA256=1d7b6baa0769ff8a5757c61e2c677ae0939a15e86e149f64df6b12435db5c4b2 # of manifests/ha/install.yaml
ARGO_ROLLOUTS=v1.10.0
MLFLOW=3.17.2 # what the images talk to: constraints.txt

usage() {
  echo "usage: argo-apps/bootstrap.sh staging|production [--dry-run]" >&2
  exit 2
}

environment=${1:-}
[[ $environment == staging || $environment == production ]] || usage
[[ $# -le 2 && ${2:---dry-run} == --dry-run ]] || usage
dry_run=${2:-}

# One command, or several joined by pipes: printed, and run unless this is a dry run.
run() {
  echo "+ $1"
  [[ -n $dry_run ]] || bash -o pipefail -euc "$1"
}

chart() { # release, namespace, chart, settings; repository and version stand in Chart.yaml
  local repository version
  read -r version repository < <(awk -v name="$3" '
    $2 == "name:" { own = $3 == name }
    own && $1 == "version:" { version = $2 }
    own && $1 == "repository:" { print version, $2 }' argo-apps/platform/Chart.yaml)
  run "helm upgrade --install $1 $3 --repo $repository --version $version --namespace $2 --wait --timeout 10m $4"
}

if [[ -z $dry_run ]]; then
  for program in kubectl helm doctl curl; do
    command -v "$program" >/dev/null || { echo "error: $program is not installed" >&2; exit 3; }
  done
fi

for namespace in pullrisk pullrisk-spark cert-manager vault mongodb mlflow monitoring argocd argo-rollouts; do
  run "kubectl create namespace $namespace --dry-run=client --output yaml | kubectl apply --filename -"
done

# The registry's own pull secret, for the service accounts of the stages.
for namespace in pullrisk pullrisk-spark; do
  run "doctl registry kubernetes-manifest --namespace $namespace --name registry | kubectl apply --filename -"
done

# Certificates of Vault and MongoDB, and for the stages the authority that signed them.
chart cert-manager cert-manager cert-manager \
  "--set crds.enabled=true"
run "kubectl apply --server-side --filename argo-apps/platform/certificates.yaml"
for certificate in cert-manager/pullrisk-authority vault/vault mongodb/mongodb; do
  run "kubectl wait --namespace ${certificate%/*} --for=condition=Ready --timeout=5m certificate/${certificate#*/}"
done
for namespace in pullrisk pullrisk-spark; do
  run "kubectl get secret pullrisk-authority --namespace cert-manager --output go-template='{{base64decode (index .data \"ca.crt\")}}' | kubectl create configmap authorities --namespace $namespace --from-file=ca.crt=/dev/stdin --dry-run=client --output yaml | kubectl apply --server-side --filename -"
done

chart vault vault vault \
  "--values argo-apps/platform/vault.yaml --wait=false"
chart monitoring monitoring kube-prometheus-stack \
  "--set prometheus.prometheusSpec.podMonitorSelectorNilUsesHelmValues=false --set prometheus.prometheusSpec.ruleSelectorNilUsesHelmValues=false --set grafana.sidecar.dashboards.searchNamespace=ALL"
chart mongodb mongodb community-operator ""
run "kubectl apply --server-side --filename argo-apps/platform/mongodb.yaml"
chart mlflow mlflow mlflow \
  "--set image.tag=v$MLFLOW --set artifactRoot.proxiedArtifactStorage=true --set service.containerPort=5000${MLFLOW_VALUES:+ --values $MLFLOW_VALUES}"

if [[ -z ${MLFLOW_VALUES:-} ]]; then
  echo "note: MLflow keeps its runs inside its pod; set MLFLOW_VALUES (docs/operations.md)" >&2
fi

run "kubectl apply --server-side --namespace argo-rollouts --filename https://github.com/argoproj/argo-rollouts/releases/download/$ARGO_ROLLOUTS/install.yaml"
# Downloaded, and applied only if it is the file that was looked at.
argo_cd=${TMPDIR:-/tmp}/argo-cd-$ARGO_CD.yaml
run "curl --fail --silent --show-error --location --output $argo_cd https://raw.githubusercontent.com/argoproj/argo-cd/$ARGO_CD/manifests/ha/install.yaml"
run "echo '$ARGO_CD_SHA256  $argo_cd' | sha256sum --check --strict"
run "kubectl apply --server-side --force-conflicts --namespace argocd --filename $argo_cd"
run "kubectl wait --namespace argocd --for=condition=Available --timeout=10m deployment --all"

# From here on Git decides.
run "kubectl apply --server-side --kustomize argo-apps/clusters/$environment"
