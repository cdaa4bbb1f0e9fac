#!/usr/bin/env bash
# build the documents as a site, links checked: build/site/index.html
source "$(dirname "$0")/../lib/common.sh"
requirements=tools/packages/docs-requirements.txt
home=$ROOT/build/docs-venv
if ! cmp -s "$requirements" "$home/.stamp"; then
  rm -rf "$home"
  python3 -m venv "$home"
  "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$home/.stamp"
fi
# The theme announces its successor at each build.
# (Quiet, it would not count its warnings, and "strict" would mean nothing.)
NO_MKDOCS_2_WARNING=1 "$home/bin/mkdocs" build --strict 2>&1 | { grep -v "^INFO" || true; }
if command -v doxygen > /dev/null; then
  mkdir -p build/doxygen
  doxygen tools/doxygen/Doxyfile || fail "the comments of the public headers have mistakes: see above"
  echo "the C++ and the C interface: build/site/api/index.html"
else
  say "no doxygen (apt-get install doxygen): the headers' pages are left out"
fi
outside=$(grep -rlE '<(script|link)[^>]*(src|href)="https?://[^"]*\.(js|css)' build/site || true)
[[ -z $outside ]] || fail "pages that load from elsewhere: $outside"
echo "$(find build/site -name '*.html' | wc -l) pages: build/site/index.html"
