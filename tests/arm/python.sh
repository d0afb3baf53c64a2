#!/usr/bin/env bash
# Runs the emulated 64-bit Arm Python of make_root.sh with this checkout in its path.
#
#   tests/arm/python.sh DIR [arguments of python]
set -euo pipefail
dir=$(cd "${1:?usage: python.sh DIR [arguments]}" && pwd)
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHONPATH=$dir/site:$root PYTHONNOUSERSITE=1 PYTHONDONTWRITEBYTECODE=1
export QEMU_CPU=${QEMU_CPU:-cortex-a72}
exec qemu-aarch64-static -L "$dir/root" "$dir/root/usr/bin/python3.11" "$@"
