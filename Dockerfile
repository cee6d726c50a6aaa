# Two stages: wheels are made where a compiler is allowed, and only installed where the gateway runs.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements.txt pyproject.toml README.md ./
COPY protocol protocol
COPY config config
COPY gateway gateway
COPY bench bench
RUN pip wheel --no-cache-dir --wheel-dir /wheels -r requirements.txt \
 && pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/aldis aldis \
 && mkdir -p /data /etc/aldis && chown aldis:aldis /data && chmod 700 /data
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links=/wheels aldis
USER aldis
ENV PYTHONUNBUFFERED=1 \
    ALDIS_CONFIG=/etc/aldis/aldis.toml \
    ALDIS_STORE__PATH=/data/aldis.db \
    ALDIS_HTTP__HOST=0.0.0.0 \
    ALDIS_OPS__HOST=0.0.0.0
VOLUME /data
# HTTP, metrics; and SMPP with and without TLS where [[smpp]] listens on 0.0.0.0 there.
EXPOSE 8080 9090 2775 3550
# Alive is enough here: a gateway whose operators are all away must not be restarted.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9090/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["aldis"]
CMD ["serve"]
