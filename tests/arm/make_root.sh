#!/usr/bin/env bash
# Makes DIR/root, a 64-bit Arm Debian that is unpacked and never booted, and DIR/site, the edge runtime's
# wheels for it, so that python.sh can run them under emulation. About 1.5 GB. A second call does nothing.
#
#   tests/arm/make_root.sh DIR      needs Debian's debootstrap and qemu-user-static, pip and a registry
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:?usage: make_root.sh DIR}
for tool in debootstrap qemu-aarch64-static dpkg-deb; do
  command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || {
    echo "make_root.sh: $tool is missing: apt-get install debootstrap qemu-user-static" >&2
    exit 1
  }
done
export PATH=$PATH:/usr/sbin
if [ ! -e "$dir/root/.made" ]; then
  rm -rf "$dir/root"
  mkdir -p "$dir"
  mirrors=$(apt-get indextargets --format '$(REPO_URI)' 'Label: Debian' | sort -u)
  debootstrap --arch=arm64 --variant=minbase --foreign --include=python3,libportaudio2 \
    bookworm "$dir/root" "${mirrors%%[[:space:]]*}" >"$dir/debootstrap.log"
  for package in "$dir"/root/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$dir/root"; done
  # ONNX Runtime asks for the processor and fails on the host's answer: give it a Raspberry Pi 4's
  mkdir -p "$dir/root/proc" "$dir/root/sys/devices/system/cpu"
  for i in 0 1; do
    printf 'processor\t: %s\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n' $i
    printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n'
    printf 'CPU part\t: 0xd08\nCPU revision\t: 3\n\n'
  done >"$dir/root/proc/cpuinfo"
  for list in possible present online; do echo 0-1 >"$dir/root/sys/devices/system/cpu/$list"; done
  echo 255 >"$dir/root/sys/devices/system/cpu/kernel_max"
  touch "$dir/root/.made"
fi
if [ ! -e "$dir/site/.made" ]; then
  rm -rf "$dir/site"
  platforms=()
  for tag in manylinux2014 manylinux_2_17 manylinux_2_26 manylinux_2_27 manylinux_2_28 manylinux_2_34; do
    platforms+=(--platform "${tag}_aarch64")
  done
  python3 -m pip install --quiet --disable-pip-version-check --target "$dir/site" "${platforms[@]}" \
    --python-version 3.11 --implementation cp --only-binary=:all: -c "$here/../constraints.txt" \
    numpy onnxruntime ai-edge-litert soundfile soxr sounddevice rich msgspec numba pytest pytest-timeout hypothesis
  touch "$dir/site/.made"
fi
