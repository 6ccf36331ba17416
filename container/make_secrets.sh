#!/bin/sh
# One file for each secret, in secrets/ beside docker-compose.yaml. What is there stays. A secret is 32 random bytes in
# hexadecimal, so that it means the same in a URL, in SQL and in a settings file.
#
# The folder is this account's alone. The files can be read by all, since the containers' accounts are others: compose
# mounts each file, not the folder.
set -eu
cd "${1:-.}"
umask 022
mkdir -p secrets
chmod 700 secrets
cd secrets

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
make() { [ -s "$1" ] || printf %s "$2" > "$1"; }

for name in postgres airflow owner worker serve redis; do make "${name}_password" "$(random)"; done
for name in jwt api token; do make "${name}_secret" "$(random)"; done
make fernet_key "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
printf %s "postgresql+psycopg://airflow:$(cat airflow_password)@postgres/airflow" > airflow_url
printf %s "redis://:$(cat redis_password)@redis:6379/0" > broker_url
for name in owner worker serve; do
  printf %s "postgresql+psycopg://gatekeeper_$name:$(cat ${name}_password)@postgres/gatekeeper" > "${name}_url"
done
echo "secrets/: $(ls | wc -l) files, readable by this account alone"
