#!/bin/sh
# Resolves the dependencies of pyproject.toml into run.txt, test.txt and release.txt, with hashes and no registry named.
# uv is wanted for this alone, so it comes and goes in a directory of its own.
set -eu
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool"
"$tool/bin/pip" install --quiet uv
compile() {
    "$tool/bin/uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --extra server --extra postgresql --extra redis --extra keyring --group build "$@"
}
compile --output-file requirements/run.txt
compile --group test --constraint requirements/run.txt --output-file requirements/test.txt
compile --group release --constraint requirements/test.txt --output-file requirements/release.txt
if grep -n '://' requirements/*.txt; then
    echo "a lock names an address: the lines above" >&2
    exit 1
fi
