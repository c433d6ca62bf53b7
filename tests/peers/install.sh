#!/bin/sh
# Installs the chargers, CSMSs and testers of others that `make test-full` uses into .peers/ of the project.
# Does nothing when .peers/ already holds these versions. Needs node >= 18, npm and redis-server on PATH.
# With `bench` the proxies of others for `make bench` instead.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
peers=$(cd "$here/../.." && pwd)/.peers
python=${PYTHON:-python3}

missing=
case ${1:-} in
bench) needed="node npm" ;;
*) needed="node npm redis-server" ;;
esac
for tool in $needed; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    echo "tests/peers/install.sh: not on PATH:$missing" >&2
    echo "  redis-server: apt-get install redis-server; node and npm: Node.js 18 or newer" >&2
    exit 1
fi
node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || {
    echo "tests/peers/install.sh: node $(node --version) is too old, 18 or newer is needed" >&2
    exit 1
}

mkdir -p "$peers"

# up_to_date NAME INPUT: true when NAME was installed from exactly this INPUT.
up_to_date() { cmp -s "$2" "$peers/$1/.installed"; }

environment() {
    up_to_date "$1" "$here/$1.txt" && return
    rm -rf "${peers:?}/$1"
    "$python" -m venv "$peers/$1"
    "$peers/$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/$1.txt"
    cp "$here/$1.txt" "$peers/$1/.installed"
}

packages() {
    up_to_date npm "$here/package-lock.json" && return
    rm -rf "$peers/npm"
    mkdir -p "$peers/npm"
    cp "$here/package.json" "$here/package-lock.json" "$peers/npm/"
    (cd "$peers/npm" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error)
    cp "$here/package-lock.json" "$peers/npm/.installed"
}

case ${1:-} in
bench)
    environment ocpp-broker
    packages
    exit
    ;;
esac

# They do not depend on one another.
environment arthexis & a=$!
environment ocpp-csms & b=$!
environment schemathesis & d=$!
environment sslyze & e=$!
environment browser & f=$!
packages & c=$!
failed=
wait $a || failed="$failed arthexis"
wait $b || failed="$failed ocpp-csms"
wait $c || failed="$failed npm"
wait $d || failed="$failed schemathesis"
wait $e || failed="$failed sslyze"
wait $f || echo "tests/peers/install.sh: no playwright here: the tests of the console will be skipped" >&2
if [ -n "$failed" ]; then
    echo "tests/peers/install.sh: could not install:$failed" >&2
    exit 1
fi
