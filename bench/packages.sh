#!/bin/sh
# Installs what `make bench` measures beside us and with: through apt when missing, as root.
# What is not there is named in the report and left out.
missing=""
[ -x /usr/bin/wrk ] || missing="$missing wrk"
[ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
[ -x /usr/sbin/syslog-ng ] || missing="$missing syslog-ng-core syslog-ng-mod-http"
[ -x /usr/bin/redis-server ] || missing="$missing redis-server"
[ -x /usr/bin/npm ] || command -v npm >/dev/null || missing="$missing npm"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    # Debian would start them as services, unless it is told not to.
    told=/usr/sbin/policy-rc.d
    [ -e $told ] && told="" || { printf '#!/bin/sh\nexit 101\n' > $told; chmod +x $told; }
    apt-get update -q >/dev/null && apt-get install -y -q --no-install-recommends $missing >/dev/null
    [ -z "$told" ] || rm $told
else
    echo "missing:$missing; what needs them is left out (on Debian: apt install$missing)"
fi
