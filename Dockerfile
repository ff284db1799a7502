# rieszd and riesz for the CPU.
#
#   docker build -t riesz .
#   docker run --rm -p 127.0.0.1:7443:7443 riesz

FROM debian:12 AS build
WORKDIR /src
# The packages change seldom: a layer of their own.
COPY deploy/install-dependencies deploy/
RUN deploy/install-dependencies build
COPY . .
RUN cmake --preset release -DRIESZ_TESTS=OFF -DRIESZ_BENCHMARKS=OFF \
 && cmake --build --preset release --target rieszd riesz \
 && strip build/release/server/rieszd build/release/client/cli/riesz

FROM debian:12-slim AS runtime
COPY deploy/install-dependencies /tmp/
RUN /tmp/install-dependencies runtime \
 && rm -rf /tmp/install-dependencies /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home riesz
COPY --from=build /src/build/release/server/rieszd /src/build/release/client/cli/riesz /usr/local/bin/
USER riesz
EXPOSE 7443 9464
# Plain text inside the container's network; publish the ports on loopback or put TLS in front.
ENV RIESZ_LISTEN=0.0.0.0:7443 \
    RIESZ_INSECURE_ALLOW_REMOTE=true \
    RIESZ_METRICS_LISTEN=0.0.0.0:9464 \
    RIESZ_DATA_DIR=/usr/share/datasets
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s \
  CMD ["riesz", "--server", "127.0.0.1:7443", "health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["rieszd"]
