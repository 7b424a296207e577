# syntax=docker/dockerfile:1
# The image of every role: one static-enough binary on a base without a shell.

FROM rust:1.89-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --package loquent \
    && install -D target/dist/loquent /out/usr/local/bin/loquent \
    && install -d -m 0700 -o 65532 -g 65532 /out/data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build --chown=65532:65532 /out/ /
ENV LOQUENT_LISTEN=0.0.0.0:8080 LOQUENT_DATA_DIR=/data
EXPOSE 8080
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/loquent"]
CMD ["serve"]
