"""The files of a project with four stages, small enough for tests of delivery."""

from collections.abc import Mapping
from typing import Final

from delivery.stages import STAGES, image_name

COMMAND: Final = dict(zip(STAGES, ("fetch", "preprocess", "train", "serve"), strict=True))
ZEROS: Final = "sha256:" + "0" * 64
_DOCKERFILE: Final = """\
# {stage}
ARG BASE
FROM ${{BASE}} AS build
COPY constraints.txt pyproject.toml ./
COPY --chmod=0755 images/install.py ./
RUN ["python3", "install.py", "{stage}"]
COPY README.md \\
     src ./
FROM ${{BASE}}
COPY --from=build /out /app
ENTRYPOINT ["python3", "-m", "pullrisk"]
CMD ["{command}"]
"""
_PROJECT: Final = """\
[project]
name = "pullrisk"
version = "1"
readme = "README.md"
[project.optional-dependencies]
lake = ["deltalake"]
data-fetch = ["httpx"]
spark-preprocess = ["pullrisk[lake]", "pyspark"]
ml-training = ["pullrisk[lake]", "torch"]
model-serving = ["pullrisk[lake]", "granian"]
[tool.ruff]
line-length = 100
"""
_TABLE: Final = """\
[every-stage]
files = ["constraints.txt", "images/base.env", "images/build.py", "images/install.py"]
package = ["__init__", "__main__", "cli/*.py"]
tests = ["tests/cli", "tests/delivery"]
[data-fetch]
package = ["cli/commands/fetch", "errors", "fetch", "pulls"]
[spark-preprocess]
package = ["cli/commands/preprocess", "preprocess"]
[ml-training]
package = ["cli/commands/train", "train"]
[model-serving]
package = ["cli/commands/serve", "errors", "pulls", "serve"]
"""
_POD: Final = """\
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {stage}
spec:
  schedule: 5 * * * *
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: {stage}
              image: {image}
              args: [{command}]
"""
_HEAD: Final = "# Written by the workflows.\nresources:\n"
_ENTRY: Final = "  - name: {image} # of {stage}\n    digest: {digest}\n"


def project() -> dict[str, str]:
    """Path → text of a project with four stages."""
    files = {
        "README.md": "# pullrisk\n",
        "constraints.txt": "httpx==1\n",
        "pyproject.toml": _PROJECT,
        "images/base.env": "BASE=python@sha256:1\n",
        "images/install.py": "import sys\n",
        "src/pullrisk/__init__.py": "",
        "src/pullrisk/__main__.py": "from pullrisk.cli import main\n",
        "src/pullrisk/cli/__init__.py": "from pullrisk.cli.app import load\n",
        "src/pullrisk/cli/app.py": "",
        "delivery/inputs.toml": _TABLE,
        "src/pullrisk/cli/commands/__init__.py": "",
        "src/pullrisk/errors.py": "",
        "src/pullrisk/pulls/__init__.py": "import pullrisk.errors\n",
        "src/pullrisk/pulls/schema.json": "{}\n",
        "src/pullrisk/fetch/__init__.py": "from pullrisk.pulls import *\n",
        "src/pullrisk/serve/__init__.py": "from pullrisk import pulls\n",
        "src/pullrisk/serve/pages/page.html": "<p>\n",
        "src/pullrisk/train/__init__.py": "",
        "src/pullrisk/preprocess/__init__.py": "",
    }
    for stage, command in COMMAND.items():
        own = {"stage": stage, "command": command, "image": image_name(stage)}
        late = f"def run():\n    from pullrisk import {command}\n"
        files[f"src/pullrisk/cli/commands/{command}.py"] = late
        files[f"images/{stage}.Dockerfile"] = _DOCKERFILE.format(**own)
        files[f"argo-apps/base/{stage}.yaml"] = _POD.format(**own)
    files["argo-apps/base/kustomization.yaml"] = manifest(dict.fromkeys(STAGES, ZEROS))
    return files


def manifest(digests: Mapping[str, str]) -> str:
    """A kustomization of these digests."""
    listed = "".join(f"  - {stage}.yaml\n" for stage in STAGES)
    entries = [
        _ENTRY.format(image=image_name(stage), stage=stage, digest=digest)
        for stage, digest in digests.items()
    ]
    return f"{_HEAD}{listed}images: # by digest\n{''.join(entries)}# the end\n"
