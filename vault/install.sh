#!/usr/bin/env bash
# Installs what lies in this folder into Vault or OpenBao: docs/secrets.md, "Setting Vault up".
#
#     vault/install.sh [--namespace NAME] [--kubernetes-host URL]
#                      [--github-repository OWNER/NAME --github-repository-id ID] [--dry-run]
#
# It runs `bao`, or else `vault`, which take the address from VAULT_ADDR and the token from
# VAULT_TOKEN or from `bao login`. It writes no secret values, and may be run again at any time.
# GitHub Actions can log in only with --github-repository and its number, which another repository
# of the same name would not have (gh api repos/OWNER/NAME --jq .id); Vault has to reach GitHub.
# Exit codes: 2 wrong options, 3 no program or address, 10 Vault refused or did not answer.
set -euo pipefail
cd "$(dirname "$0")"

namespace=pullrisk kubernetes_host=https://kubernetes.default.svc repository='' repository_id='' dry_run=''

fail() { # exit code, message
  echo "error: $2" >&2
  exit "$1"
}

require() { # option, value, the regular expression of what it may be
  [[ $2 =~ ^$3$ ]] || fail 2 "$1 is '$2': see the first lines of vault/install.sh"
}

while (($#)); do
  case $1 in
    --namespace) namespace=${2:-} ;;
    --kubernetes-host) kubernetes_host=${2:-} ;;
    --github-repository)
      repository=${2:-}
      require "$1" "$repository" '[A-Za-z0-9-]+/[A-Za-z0-9._-]+'
      ;;
    --github-repository-id)
      repository_id=${2:-}
      require "$1" "$repository_id" '[0-9]+'
      ;;
    --dry-run)
      dry_run=yes
      shift
      continue
      ;;
    *) fail 2 "unknown option $1: see the first lines of vault/install.sh" ;;
  esac
  shift $(($# > 1 ? 2 : 1))
done
require --namespace "$namespace" '[a-z0-9-]+'
require --kubernetes-host "$kubernetes_host" 'https?://[A-Za-z0-9._:/-]+'
[[ -z $repository || -n $repository_id ]] ||
  fail 2 "--github-repository-id is missing: gh api repos/$repository --jq .id"

program=$(command -v bao || command -v vault) || fail 3 "neither bao nor vault is installed"
address=${VAULT_ADDR:-${BAO_ADDR:-}}
[[ -n $address ]] || fail 3 "VAULT_ADDR is not set: set it to the address of your Vault"
# bao prefers BAO_ADDR to VAULT_ADDR. A server that never answers must not hold this script up.
export VAULT_ADDR=$address BAO_ADDR=$address VAULT_CLIENT_TIMEOUT=${VAULT_CLIENT_TIMEOUT:-15s}

# Runs the program with these arguments; a failure ends the script and names who failed.
call() {
  local output
  if output=$("$program" "$@" 2>&1); then
    echo "$output"
    return
  fi
  output=$(grep --invert-match --extended-regexp '^(URL:|$)' <<<"$output" | tr '\n' ' ' || true)
  case $output in
    *"oidc discovery"*) fail 10 "Vault did not get GitHub's keys from GitHub: $output" ;;
    *"deadline exceeded"* | *"Client.Timeout"*)
      [[ $* != *auth/jwt/config* ]] ||
        fail 10 "Vault asked GitHub for its keys; there was no answer in $VAULT_CLIENT_TIMEOUT"
      fail 10 "Vault at $address did not answer in $VAULT_CLIENT_TIMEOUT"
      ;;
    *"Code: 403"*) fail 10 "Vault at $address refused '$1 $2': its token may not do that" ;;
    *) fail 10 "Vault at $address: $output" ;;
  esac
}

# Says what is changed and, unless this is a dry run, calls the program.
change() { # what is changed, arguments of the program
  echo "${dry_run:+would }write $1"
  [[ -n $dry_run ]] || call "${@:2}" >/dev/null
}

fill() { # a file of this folder: prints it with the options in place of ${namespace} and so on
  local text
  text=$(<"$1")
  text=${text//\$\{namespace\}/$namespace}
  text=${text//\$\{kubernetes_host\}/$kubernetes_host}
  text=${text//\$\{repository_id\}/$repository_id}
  echo "${text//\$\{repository\}/$repository}"
}

type_of() { # auth method: prints the type of what Vault has at its path
  awk -v path="$1/" '$1 == path { print $2 }' <<<"$methods"
}

install_method() { # auth method: enables it, writes its configuration and its roles
  local role type
  type=$(type_of "$1")
  [[ -n $type ]] || change "auth/$1" auth enable "$1"
  change "auth/$1.json" write "auth/$1/config" - <<<"$(fill "auth/$1.json")"
  for role in roles/"$1"/*.json; do
    change "$role" write "auth/$1/role/$(basename "$role" .json)" - <<<"$(fill "$role")"
  done
}

# What holds somebody's data and is not as expected is refused before anything is changed.
engines=$(call secrets list -detailed)
methods=$(call auth list)
engine=$(grep '^secret/ ' <<<"$engines" || true)
[[ -z $engine || $engine =~ ^secret/\ +kv\ .*version:2 ]] ||
  fail 10 "secret/ is no KV engine of version 2; of version 1: bao kv enable-versioning secret"
for method in kubernetes ${repository:+jwt}; do
  type=$(type_of "$method")
  [[ ${type:-$method} == "$method" ]] || fail 10 "auth/$method in Vault is of type $type"
done

[[ -n $engine ]] || change secret/ secrets enable -path=secret -version=2 kv
for policy in policies/*.hcl; do
  change "$policy" policy write "$(basename "$policy" .hcl)" "$policy"
done
install_method kubernetes
if [[ -n $repository ]]; then
  install_method jwt
else
  echo "GitHub Actions cannot log in: --github-repository is not given"
fi
