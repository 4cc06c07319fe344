#!/bin/sh
# The browser tests drive Debian's Chromium: install it where it is missing and we may, else say how.
set -eu
if [ -n "${KEYBEARER_CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "installing Chromium for the browser tests"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
    exit 0
fi
echo "The browser tests need Chromium. Debian: sudo apt install chromium" >&2
echo "Elsewhere: set KEYBEARER_CHROMIUM to the path of a Chromium or Chrome." >&2
exit 1
