# The image of b24bridge. What its steps do stands in Scripts/image, and Tests/Image runs the same where there is no Docker.
ARG SWIFT_IMAGE=swift:6.3-bookworm
ARG RUNTIME_IMAGE=debian:trixie-slim

FROM ${SWIFT_IMAGE} AS build
WORKDIR /build
COPY Scripts/install-packages Scripts/
RUN Scripts/install-packages librdkafka-dev pkg-config
# Fetched again only when the manifest changes.
COPY Package.* ./
RUN swift package resolve
COPY . .
RUN Scripts/image/build /out

# docker build --target debug-information --output . puts b24bridge.debug here, for gdb and addr2line.
FROM scratch AS debug-information
COPY --from=build /out/b24bridge.debug /

FROM ${RUNTIME_IMAGE}
RUN --mount=type=bind,source=Scripts/image,target=/mnt /mnt/runtime-packages
COPY --from=build /out/b24bridge /out/swift-backtrace /usr/local/bin/
# A crash says where, with the names of functions. What is in registers and memory stays out: tokens may be there.
ENV SWIFT_BACKTRACE=enable=yes,swift-backtrace=/usr/local/bin/swift-backtrace,interactive=no,color=no,registers=none,images=mentioned,threads=crashed,symbolicate=fast
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="b24bridge" \
      org.opencontainers.image.description="Receives Bitrix24 events over HTTP, loses none, and puts each into Apache Kafka." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 65532:65532
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/b24bridge"]
CMD ["serve", "--config", "/etc/b24bridge/b24bridge.yaml"]
