#!/bin/sh
# Installs the programs that tests talk to. Where that is not possible, their tests are skipped by name
# (and with REQUIRE_ALL=1 a skip is a failure).
missing=""
[ -x /usr/sbin/squid ] || missing="$missing squid"
[ -x /usr/bin/tinyproxy ] || missing="$missing tinyproxy"
[ -x /usr/bin/chromium ] || missing="$missing chromium fonts-noto-core fonts-noto-mono"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -q $missing >/dev/null 2>&1 || { apt-get update -q >/dev/null && apt-get install -y -q $missing >/dev/null; }
else
    echo "missing:$missing; tests that need them are skipped (on Debian: apt install$missing)"
fi
