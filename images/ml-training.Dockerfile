# The ml-training stage: images/README.md says how it is run. Built by images/build.py.
ARG BUILD_BASE
ARG RUN_BASE

FROM ${BUILD_BASE} AS wheel
WORKDIR /build
COPY constraints.txt requirements/tools.txt images/install.py ./
RUN --mount=type=secret,id=pip --mount=type=secret,id=ca --mount=type=cache,target=/var/cache/pip \
    ["python3", "install.py", "tools", "tools.txt"]
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY src ./src
RUN ["python3", "install.py", "wheel", "/wheels"]

FROM ${BUILD_BASE} AS dependencies
WORKDIR /build
COPY constraints.txt requirements/ml-training.txt images/install.py images/prune.toml ./
RUN --mount=type=secret,id=pip --mount=type=secret,id=ca --mount=type=cache,target=/var/cache/pip \
    ["python3", "install.py", "dependencies", "ml-training.txt", "/out"]

FROM dependencies AS code
COPY --from=wheel /wheels /wheels
RUN ["python3", "install.py", "code", "/code", "/wheels"]

FROM ${RUN_BASE}
COPY --from=dependencies /out /app
COPY --from=code /code /app
ENV PYTHONPATH=/app PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    PULLRISK_HOME=/tmp/pullrisk PULLRISK_LOG_FORMAT=json \
    PYTHONWARNINGS="ignore:Could not find the number of physical cores:UserWarning"
WORKDIR /etc/pullrisk
USER 65532:65532
ENTRYPOINT ["/usr/bin/python3.11", "-m", "pullrisk"]
CMD ["train", "--help"]
ARG REVISION
ARG CREATED
ARG VERSION
ARG BASE_NAME
ARG BASE_DIGEST
LABEL org.opencontainers.image.title="pullrisk ml-training" \
      org.opencontainers.image.description="The network, trained on the lake and registered with MLflow" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE_NAME}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
ENV GIT_COMMIT="${REVISION}"
