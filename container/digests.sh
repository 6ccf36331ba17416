#!/bin/sh
# Pins each image to its digest of today, in .env beside docker-compose.yaml. Needs docker and a registry: a digest that
# nobody has looked up is worth nothing.
set -eu
cd "${1:-.}"
command -v docker >/dev/null || { echo "docker is needed, to ask a registry for the digests" >&2; exit 1; }
touch .env
for line in POSTGRES_IMAGE=postgres:17 REDIS_IMAGE=redis:7 PYTHON_IMAGE=python:3.13-slim; do
  name=${line%%=*} image=${line#*=}
  digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
  case $digest in
    sha256:????????????????????????????????????????????????????????????????) ;;
    *) echo "$image: the registry gave no digest ($digest)" >&2; exit 1 ;;
  esac
  grep -v "^$name=" .env > .env.new || true
  echo "$name=$image@$digest" >> .env.new
  chmod --reference=.env .env.new
  mv .env.new .env
  echo "$name=$image@$digest"
done
