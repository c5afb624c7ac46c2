#!/bin/sh
# Installs heliograph from a source tree into a venv.
# Usage: install.sh SOURCE TARGET [cpu|cuda]; PIP_OPTIONS goes to pip.
set -eu
source=$1 target=$2 variant=${3:-cpu}
case $variant in
    cpu) extras=serve ;;
    cuda) extras=serve,torch ;;
    *) echo "VARIANT: expected cpu or cuda, got $variant" >&2; exit 2 ;;
esac
[ -x "$target/bin/python" ] || "${PYTHON:-python3}" -m venv "$target"
# shellcheck disable=SC2086 -- several options
"$target/bin/python" -m pip install --no-cache-dir ${PIP_OPTIONS:-} "$source[$extras]"
"$target/bin/python" -m heliograph --version
