# One image for every role: the command says which.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY cronstream ./cronstream
RUN python -m venv /opt/cronstream && /opt/cronstream/bin/pip install --no-cache-dir .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/cronstream --create-home cronstream
COPY --from=build /opt/cronstream /opt/cronstream
ENV PATH=/opt/cronstream/bin:$PATH \
    CRONSTREAM_CRONTAB=/etc/cronstream/crontab.yaml \
    CRONSTREAM_DATA_DIR=/var/lib/cronstream \
    CRONSTREAM_LOG_FORMAT=json \
    PYTHONUNBUFFERED=1
USER cronstream
WORKDIR /var/lib/cronstream
VOLUME /var/lib/cronstream
# As process 1 the interpreter gets TERM itself: claims are released, running commands drain.
ENTRYPOINT ["faust", "-A", "cronstream", "--quiet"]
CMD ["worker", "--web-port", "6066"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:6066/health', timeout=2)"]
