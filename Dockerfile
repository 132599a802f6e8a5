# Stage one makes the virtual environment. Nothing of pip, the build backend, the compiler or the sources is in the final image.
FROM python:3.13-slim-trixie AS build
WORKDIR /build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv tools

# The lock file also holds the build backend. Everything in it is fetched by its hash into one folder; from there
# the build backend goes into tools, and the final environment takes only what the package itself depends on.
COPY requirements/run.txt requirements/run.txt
RUN tools/bin/pip --disable-pip-version-check download --no-cache-dir --require-hashes --only-binary :all: \
        --dest wheels --requirement requirements/run.txt \
    && tools/bin/pip --disable-pip-version-check install --no-cache-dir --no-index --find-links wheels \
        --require-hashes --requirement requirements/run.txt

COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
RUN tools/bin/pip --disable-pip-version-check wheel --no-cache-dir --no-index --no-deps --no-build-isolation \
        --wheel-dir wheels . \
    && python3 -m venv --without-pip /opt/pipeline-exporter \
    && tools/bin/pip --disable-pip-version-check --python /opt/pipeline-exporter install --no-cache-dir \
        --no-index --find-links wheels pipeline-exporter


FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="pipeline-exporter" \
      org.opencontainers.image.description="Status of hosted data pipelines as Prometheus metrics" \
      org.opencontainers.image.licenses="Apache-2.0"

# The base image brings a pip of its own, which a service has no use for. The data folder belongs to the service's
# user, and a volume made from it inherits that.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages/pip* /usr/local/lib/python3.*/ensurepip \
    && install -d -m 0750 -o 10067 -g 10067 /var/lib/pipeline-exporter
COPY --from=build /opt/pipeline-exporter /opt/pipeline-exporter

ENV PATH=/opt/pipeline-exporter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER 10067:10067
# A configuration without data_dir keeps its journal below the working directory: that is the volume too, so the
# root file system can be read-only either way.
WORKDIR /var/lib/pipeline-exporter
VOLUME ["/var/lib/pipeline-exporter"]
EXPOSE 10067

# By http.client and not by urllib, which would take a proxy from the environment. With another listen address or with
# TLS, give a check of your own.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-I", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 10067, timeout=4); c.request('GET', '/-/healthy'); sys.exit(c.getresponse().status != 200)"]

ENTRYPOINT ["pipeline-exporter"]
CMD ["run", "--config", "/etc/pipeline-exporter/pipeline-exporter.yaml"]
