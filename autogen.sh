#!/bin/sh
# Makes configure and what it needs; git holds none of it.
set -e
cd "$(dirname "$0")"
autoreconf -fi
# autopoint leaves a copy of what it replaced.
rm -rf autom4te.cache
rm -f po/*~ m4/*~ ./*~
