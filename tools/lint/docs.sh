#!/usr/bin/env bash
# docs: the documents become a site (mkdocs, strict), no link leads nowhere and every page is in the menu
exec bash "$(dirname "$0")/../dev/docs.sh"
