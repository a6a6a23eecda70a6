"""`.github/pullrisk.yml`: what a repository's maintainers want scored, told and labelled."""
