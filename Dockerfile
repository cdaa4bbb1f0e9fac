# The command in an image of its own. NOT MEASURED: no container engine was at hand.
#   docker build -t anemone . && docker run --rm -v "$PWD:/work" anemone inspect model.mlpackage
FROM debian:bookworm-slim AS build
COPY . /src
WORKDIR /src
RUN ./dev build && cd build/release && cpack -G DEB -B /packages

FROM debian:bookworm-slim
COPY --from=build /packages /packages
# libcurl is opened only when something is downloaded, so no package names it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends /packages/anemone_*.deb /packages/libanemone0*.deb libcurl4 ca-certificates \
    && rm -rf /var/lib/apt/lists/* /packages
RUN useradd --create-home anemone
USER anemone
WORKDIR /work
ENTRYPOINT ["anemone"]
