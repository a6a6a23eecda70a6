#!/usr/bin/env bash
# Brings a new Kubernetes cluster to where Argo CD takes over: docs/operations.md, "From nothing".
#
#     argo-apps/bootstrap.sh staging|production [--dry-run]
#     argo-apps/bootstrap.sh --record-checksums
#
# It may be run again at any time. --dry-run prints the commands and runs none. MLFLOW_VALUES may
# name a file of values for MLflow's chart: its database and its bucket.
#
# Charts and manifests are downloaded before the cluster is touched, and each has to be the file
# whose SHA-256 stands in platform/checksums. --record-checksums only downloads, and writes the
# lines that are missing there, for a person to look at and to commit.
set -euo pipefail
cd "$(dirname "$0")/.."

ARGO_CD=v3.5.1
ARGO_ROLLOUTS=v1.10.0
MLFLOW=3.17.2 # what the images talk to: constraints.txt
CHECKSUMS=argo-apps/platform/checksums
DOWNLOADS=build/platform # Git ignores it

usage() {
  echo "usage: argo-apps/bootstrap.sh staging|production [--dry-run]" >&2
  echo "       argo-apps/bootstrap.sh --record-checksums" >&2
  exit 2
}

fail() {
  echo "error: $1" >&2
  exit 3
}

environment=${1:-}
dry_run=${2:-}
case $environment in
  staging | production) [[ $# -eq 1 || ($# -eq 2 && $dry_run == --dry-run) ]] || usage ;;
  --record-checksums) [[ $# -eq 1 ]] || usage ;;
  *) usage ;;
esac

# One command, or several joined by pipes: printed, and run unless this is a dry run.
run() {
  echo "+ $1"
  [[ -n $dry_run ]] || bash -o pipefail -euc "$1"
}

charts() { # name, version and repository of each chart in Chart.yaml
  awk '$2 == "name:" { name = $3 }
    $1 == "version:" { version = $2 }
    $1 == "repository:" { print name, version, $2 }' argo-apps/platform/Chart.yaml
}

line_of() { # a file's line in checksums
  awk -v file="$1" '$2 == file' "$CHECKSUMS"
}

files=() commands=()
download() { # file, command that writes it into DOWNLOADS
  files+=("$1") commands+=("$2")
}

chart() { # release, namespace, chart, settings
  local version
  version=$(charts | awk -v chart="$3" '$1 == chart { print $2 }')
  run "helm upgrade --install $1 $DOWNLOADS/$3-$version.tgz --namespace $2 --wait --timeout 10m $4"
}

while read -r name version repository; do
  download "$name-$version.tgz" "mkdir $DOWNLOADS/$name && helm pull $name --repo $repository --version $version --destination $DOWNLOADS/$name && mv $DOWNLOADS/$name/*.tgz $DOWNLOADS/$name-$version.tgz"
done < <(charts)
for manifest in \
  "argo-rollouts-$ARGO_ROLLOUTS.yaml https://github.com/argoproj/argo-rollouts/releases/download/$ARGO_ROLLOUTS/install.yaml" \
  "argo-cd-$ARGO_CD.yaml https://raw.githubusercontent.com/argoproj/argo-cd/$ARGO_CD/manifests/ha/install.yaml"; do
  download "${manifest% *}" "curl --fail --silent --show-error --location --output $DOWNLOADS/$manifest"
done

programs="kubectl helm doctl curl"
[[ $environment != --record-checksums ]] || programs="helm curl"
for program in $programs; do
  [[ -n $dry_run ]] || command -v "$program" >/dev/null || fail "$program is not installed"
done
for file in "${files[@]}"; do
  line=$(line_of "$file")
  [[ -n $line || $environment == --record-checksums ]] ||
    fail "$CHECKSUMS has no line for $file; argo-apps/bootstrap.sh --record-checksums writes it, to be looked at and committed"
done

run "rm -rf $DOWNLOADS && mkdir -p $DOWNLOADS"
for command in "${commands[@]}"; do
  run "$command"
done
if [[ $environment == --record-checksums ]]; then
  {
    grep '^#' "$CHECKSUMS"
    for file in "${files[@]}"; do
      line=$(line_of "$file")
      echo "${line:-$(cd "$DOWNLOADS" && sha256sum "$file")}"
    done
  } >"$DOWNLOADS/checksums"
  cp "$DOWNLOADS/checksums" "$CHECKSUMS"
fi
run "(cd $DOWNLOADS && sha256sum --check --strict) <$CHECKSUMS" ||
  fail "the downloads are not the files that $CHECKSUMS lists; nothing was applied"
if [[ $environment == --record-checksums ]]; then
  echo "git diff $CHECKSUMS shows what is new: compare it with what the publisher says, and commit it"
  exit
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
  "--values argo-apps/platform/mlflow.yaml --set image.tag=$MLFLOW --set initImages.mlflowDbMigration.tag=$MLFLOW${MLFLOW_VALUES:+ --values $MLFLOW_VALUES}"

# What ends TLS for requests from outside, where the environment opts in to any.
if grep -Eq '^ *- \S*/components/(pages|webhooks)$' "argo-apps/overlays/$environment/kustomization.yaml"; then
  run "kubectl create namespace traefik --dry-run=client --output yaml | kubectl apply --filename -"
  chart traefik traefik traefik "--values argo-apps/platform/traefik.yaml"
  run "kubectl apply --server-side --filename argo-apps/platform/letsencrypt.yaml"
fi

if [[ -z ${MLFLOW_VALUES:-} ]]; then
  echo "note: MLflow keeps its runs inside its pod; set MLFLOW_VALUES (docs/operations.md)" >&2
fi

run "kubectl apply --server-side --namespace argo-rollouts --filename $DOWNLOADS/argo-rollouts-$ARGO_ROLLOUTS.yaml"
run "kubectl apply --server-side --force-conflicts --namespace argocd --filename $DOWNLOADS/argo-cd-$ARGO_CD.yaml"
run "kubectl wait --namespace argocd --for=condition=Available --timeout=10m deployment --all"

# From here on Git decides.
run "kubectl apply --server-side --kustomize argo-apps/clusters/$environment"
