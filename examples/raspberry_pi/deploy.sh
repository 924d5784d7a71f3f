#!/bin/sh
# From a model to a Raspberry Pi: export, build, copy, run. Everything after the first failure is left out.
#   ./deploy.sh pi@raspberrypi [model.qsdk]
set -eu
host=${1:?user@address of the board}
case $host in -*) echo "$host is no host for ssh; write user@address" >&2; exit 2 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
work=${WORK:-$here/build}
mkdir -p "$work"

model=${2:-$work/digits.qsdk}
[ -f "$model" ] || "$python" "$here/../small_model.py" "$model"

# 64-bit systems; a 32-bit one takes armv7hf.
"$python" -m qsdk.tools.cli build --target "${TARGET:-aarch64}" --model "$model" -o "$work/qrt" ${TOOLCHAIN:+--toolchain "$TOOLCHAIN"}

folder=$(ssh "$host" mktemp -d)
trap 'ssh "$host" "rm -rf $folder"' EXIT
scp -q "$work/qrt/bin/qrt_run" "$host:$folder/qrt_run"
scp -q "$model" "$host:$folder/model.qsdk"
ssh "$host" "cd $folder && ./qrt_run model.qsdk --verify --repeat 20 --profile"
