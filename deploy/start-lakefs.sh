#!/bin/sh
# Sets lakeFS up on its first start, with the user and keys of LAKEFS_INSTALLATION_*, then runs it.
# On PostgreSQL the server does not do so by itself: it reads these names with its own database only.
set -eu

state=0
report=$(lakefs setup --user-name "$LAKEFS_INSTALLATION_USER_NAME" \
  --access-key-id "$LAKEFS_INSTALLATION_ACCESS_KEY_ID" \
  --secret-access-key "$LAKEFS_INSTALLATION_SECRET_ACCESS_KEY" 2>&1) || state=$?

case "$state $report" in
  "0 "*) echo "start-lakefs: set up for user $LAKEFS_INSTALLATION_USER_NAME" ;; # its report holds the keys
  *"Setup is already complete"*) ;;
  *)
    printf 'start-lakefs: lakefs setup failed\n%s\n' "$report" >&2
    exit 1
    ;;
esac
exec lakefs run
