#!/usr/bin/env bash
# try the committed tree in an empty Debian: debootstrap, clone, ./dev demo, ./dev test; [VERB...]
#
# Needs root, debootstrap and git. Takes its package mirror from this machine's apt settings, and
# passes on its proxies, certificates and pip settings, so that it works behind a company proxy.
#   ANEMONE_FRESH_SUITE=bookworm   the Debian release
#   ANEMONE_FRESH_DIR=DIR          where to make it (default: a new folder in TMPDIR)
#   ANEMONE_FRESH_KEEP=1           leave it there, unmounted
source "$(dirname "$0")/../lib/common.sh"
((EUID == 0)) || fail "debootstrap and chroot need root: sudo ./dev fresh"
for tool in debootstrap git; do
  command -v $tool > /dev/null || fail "$tool is missing: apt-get install $tool"
done
if (($# == 0)); then set -- demo test; fi
suite=${ANEMONE_FRESH_SUITE:-bookworm}
target=${ANEMONE_FRESH_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/anemone-fresh.XXXXXX")}
mkdir -p "$target" "$LOG_DIR"
chmod 755 "$target"  # apt drops its privileges to download
[[ -z $(ls -A "$target") ]] || fail "$target is not empty"
times=()

# Unmounts, deepest first, and deletes only when nothing is mounted below any more: an rm -rf
# through a bind mount would empty the machine's own /dev.
mounts_below() { awk -v at="$target/" 'index($5, at) == 1 { print $5 }' /proc/self/mountinfo | sort -r; }
cleanup() {
  local point
  while read -r point; do umount "$point" || umount -l "$point" || true; done < <(mounts_below)
  if [[ -n $(mounts_below) ]]; then
    echo "error: something is still mounted below $target: it is left there" >&2
  elif [[ ${ANEMONE_FRESH_KEEP:-0} == 1 ]]; then
    echo "-- kept: $target"
  else
    rm -rf --one-file-system "$target"
  fi
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# timed LABEL COMMAND...: runs it and remembers how long it took.
timed() {
  local label=$1 start=$SECONDS rc=0
  shift
  say "fresh: $label"
  "$@" || rc=$?
  local note=""
  if ((rc)); then note=", FAILED with exit code $rc"; fi
  times+=("$label: $((SECONDS - start)) s$note")
  return $rc
}

mirror=$(apt_mirrors "$suite" | awk -v suite="$suite" '$2 == suite { print $1; exit }')
[[ -n $mirror ]] || fail "apt on this machine knows no mirror for $suite"

bundle=/etc/ssl/certs/ca-certificates.crt
bootstrap() {
  debootstrap --variant=minbase "$suite" "$target" "$mirror" > "$LOG_DIR/debootstrap.log" 2>&1 || {
    tail -n 20 "$LOG_DIR/debootstrap.log" >&2
    return 1
  }
}

# The clean environment of every command in there, plus the network settings.
environment=(HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb)
for name in CI ANEMONE_JOBS ANEMONE_TEST_SANITIZE ANEMONE_SANITIZE_UNTIL http_proxy https_proxy ftp_proxy no_proxy \
  HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE \
  $(compgen -e PIP_ || true); do
  if [[ -n ${!name:-} ]]; then environment+=("$name=${!name}"); fi
done
inside() { env -i "${environment[@]}" chroot "$target" "$@"; }

prepare() {
  local folder
  for folder in proc dev; do
    mount --rbind "/$folder" "$target/$folder"
    mount --make-rslave "$target/$folder"
  done
  apt_mirrors "$suite" | while read -r uri release; do
    echo "deb $uri $release main"
  done > "$target/etc/apt/sources.list"
  apt-config dump | grep -E '^Acquire::(http|https|ftp)::' > "$target/etc/apt/apt.conf.d/90fresh" || true
  cp /etc/resolv.conf "$target/etc/resolv.conf"
  cp /etc/hosts "$target/etc/hosts"
  if [[ -f /etc/pip.conf ]]; then cp /etc/pip.conf "$target/etc/pip.conf"; fi
  local mine=${XDG_CONFIG_HOME:-$HOME/.config}/pip/pip.conf
  if [[ -f $mine ]]; then
    mkdir -p "$target/root/.config/pip"
    cp "$mine" "$target/root/.config/pip/pip.conf"
  fi
  # First this machine's bundle, in case the mirror uses https; the package then adds its own,
  # and this machine's extra authorities are added to it.
  mkdir -p "$target/etc/ssl/certs"
  if [[ -f $bundle ]]; then cp "$bundle" "$target$bundle"; fi
  inside apt-get -qq update
  inside env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 install -y \
    --no-install-recommends ca-certificates > "$LOG_DIR/fresh-prepare.log" 2>&1
  if [[ -f $bundle ]]; then cp "$bundle" "$target$bundle"; fi
}

failed=0
timed "debootstrap $suite" bootstrap
timed "package index and certificates" prepare
timed "git clone of $(git rev-parse --short HEAD)" git clone -q --no-hardlinks "$ROOT" "$target/root/anemone"
for verb in "$@"; do
  timed "./dev $verb" inside bash -c 'cd /root/anemone && exec ./dev "$1"' dev "$verb" || failed=1
done
used=$(du -sxh "$target" 2> /dev/null | cut -f1 || true)

echo
echo "== ./dev fresh: $( ((failed)) && echo FAILED || echo passed) in $SECONDS s, ${used:-?} on disk"
printf '   %s\n' "${times[@]}"
if [[ -n $(git status --porcelain) ]]; then echo "   not tried: uncommitted changes"; fi
exit "$failed"
