#!/bin/sh
# Brings a Debian machine to where `make` can work: system packages, then the virtual environment in .venv.
#   scripts/setup.sh system    compiler, Python headers, cross compilers, QEMU (as root or with sudo)
#   scripts/setup.sh python    .venv with the pinned packages of constraints.txt
# Installs only what is missing; says what to install where it may not.
set -eu
cd "$(dirname "$0")/.."

system() {
  missing=""
  have() { command -v "$1" >/dev/null 2>&1 || missing="$missing $2"; }
  have gcc gcc
  have ar binutils
  have aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
  have arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf
  have qemu-aarch64 qemu-user
  have qemu-arm qemu-user
  have arm-none-eabi-gcc gcc-arm-none-eabi
  echo '#include <stdio.h>' | arm-none-eabi-gcc -E - >/dev/null 2>&1 || missing="$missing libnewlib-arm-none-eabi"
  have qemu-system-arm qemu-system-arm
  have cmake cmake
  have pkg-config pkg-config
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
  python3 -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' || missing="$missing python3-dev"
  echo '#include <stdio.h>' | gcc -E - >/dev/null 2>&1 || missing="$missing libc6-dev"
  [ -z "$missing" ] && return 0
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "Please install the equivalents of these Debian packages:$missing" >&2
    exit 1
  fi
  root=""
  if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then root="sudo"; else
      echo "Please install, as root: apt-get install$missing" >&2
      exit 1
    fi
  fi
  echo "installing:$missing"
  $root apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing libc6-dev-arm64-cross libc6-dev-armhf-cross
}

python() {
  stamp=.venv/installed
  if [ -f "$stamp" ] && [ -z "$(find constraints.txt pyproject.toml scripts/requirements*.txt -newer "$stamp")" ]; then return 0; fi
  [ -x .venv/bin/python ] || python3 -m venv .venv
  echo "installing the Python packages of constraints.txt (a few minutes the first time)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r scripts/requirements.txt
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps -r scripts/requirements-no-deps.txt
  touch "$stamp"
}

"$1"
