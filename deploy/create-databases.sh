#!/bin/sh
# Makes a role and a database each for lakeFS and Prefect. PostgreSQL's image runs it on an empty volume.
set -eu

for name in lakefs prefect; do
  export DATABASE_NAME="$name"
  case "$name" in
    lakefs) export DATABASE_PASSWORD="$LAKEFS_DATABASE_PASSWORD" ;;
    prefect) export DATABASE_PASSWORD="$PREFECT_DATABASE_PASSWORD" ;;
  esac
  # \getenv, not --set: other processes can read arguments.
  psql --no-psqlrc --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\getenv name DATABASE_NAME
\getenv password DATABASE_PASSWORD
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
