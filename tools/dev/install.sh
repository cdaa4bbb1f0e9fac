#!/usr/bin/env bash
# install the packages to build and test with: [GROUP...] of tools/packages (build test lint)
source "$(dirname "$0")/../lib/common.sh"
if (($# == 0)); then set -- build test; fi
mapfile_compat() { wanted=(); while read -r name; do wanted+=("$name"); done; }  # macOS: bash 3.2
mapfile_compat < <(packages "$@" | sort -u)

if on_macos; then
  command -v brew > /dev/null || fail "Homebrew is missing (https://brew.sh); then run:
  brew install ${wanted[*]}"
  mapfile_compat < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort) <(brew list --formula -1 | sort))
  if ((${#wanted[@]} == 0)); then exit 0; fi
  say "brew install ${wanted[*]}"
  exec brew install "${wanted[@]}"
fi

if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
  say "this is neither Debian, Ubuntu nor macOS: continuing with what is installed"
  say "needed, by their Debian names: ${wanted[*]}"
  exit 0
fi

missing=()
installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null || true)
for name in "${wanted[@]}"; do
  if [[ $'\n'$installed$'\n' != *$'\n'"installed $name"$'\n'* ]]; then missing+=("$name"); fi
done
if ((${#missing[@]} == 0)); then exit 0; fi

as_root=()
if ((EUID != 0)); then
  # Without a terminal to ask for a password, only a passwordless sudo works.
  if ! command -v sudo > /dev/null || ! { sudo -n true 2> /dev/null || [[ -t 0 ]]; }; then
    fail "these packages are missing; run this line as root, then ./dev again:
  apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
  fi
  as_root=(sudo)
fi
say "installing ${missing[*]}"
run_apt() {
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o Dpkg::Use-Pty=0 "$@" > /dev/null
}
run_apt update
run_apt install -y --no-install-recommends "${missing[@]}"
