# One image for every role and every command: what follows its name says which (ops/image/entrypoint.sh).
# By a digest, to pin it: docker build --build-arg PYTHON=python:3.11-slim@sha256:…
ARG PYTHON=python:3.11-slim
FROM ${PYTHON} AS build
# There is a wheel of Faust for x86-64 only: elsewhere (arm64) pip compiles it.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/run.txt requirements/otel.txt ./
# To have runs traced (docs/tracing.md): docker build --build-arg OTEL=1
ARG OTEL=
RUN python -m venv /opt/cronstream \
    && /opt/cronstream/bin/pip install --no-cache-dir --require-hashes --requirement run.txt \
    ${OTEL:+--requirement otel.txt}
COPY pyproject.toml README.md ./
COPY cronstream ./cronstream
RUN /opt/cronstream/bin/pip install --no-cache-dir --no-deps .

FROM ${PYTHON}
# An init as process 1: it ends whom nobody waits for, such as what `docker exec` leaves behind.
RUN apt-get update && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/*
# Group 0 may do what the user may: OpenShift runs images as a user of its own choice, in group 0.
RUN useradd --system --uid 10001 --gid 0 --home-dir /var/lib/cronstream --create-home cronstream \
    && chmod 0770 /var/lib/cronstream
COPY --from=build /opt/cronstream /opt/cronstream
COPY ops/image/entrypoint.sh ops/image/health.py /opt/cronstream/image/
ENV PATH=/opt/cronstream/bin:$PATH \
    HOME=/var/lib/cronstream \
    CRONSTREAM_CRONTAB=/etc/cronstream/crontab.yaml \
    CRONSTREAM_DATA_DIR=/var/lib/cronstream \
    CRONSTREAM_LOG_FORMAT=json \
    CRONSTREAM_WEB_PORT=6066 \
    PYTHONUNBUFFERED=1
# By its number: Kubernetes' runAsNonRoot cannot tell it from a name.
USER 10001:0
WORKDIR /var/lib/cronstream
VOLUME /var/lib/cronstream
# TERM goes to cronstream alone: claims are released, running commands drain.
ENTRYPOINT ["tini", "-s", "--", "/opt/cronstream/image/entrypoint.sh"]
CMD ["worker"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "/opt/cronstream/image/health.py"]
