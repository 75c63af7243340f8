#!/bin/sh
# Samråd in one file: this script, and behind its last line a packed folder. The first start of a version unpacks it.
set -eu
version=@VERSION@
lines=@LINES@
home=${SAMRAD_HOME:-${XDG_DATA_HOME:-${HOME:-/var/lib/samrad}/.local/share}/samrad}
place=$home/app/$version
if [ ! -x "$place/samrad" ]; then
    mkdir -p "$home/app" || { echo "Samråd unpacks itself to $home, which cannot be written. Name another folder in SAMRAD_HOME." >&2; exit 1; }
    fresh=$(mktemp -d "$home/app/unpacking-XXXXXX")
    trap 'rm -rf "$fresh"' EXIT INT TERM
    { tail -n +"$lines" "$0" | gzip -dc || : > "$fresh/damaged"; } | tar -xf - -C "$fresh" || : > "$fresh/damaged"
    [ ! -e "$fresh/damaged" ] || { echo "Samråd could not unpack itself to $home: there is too little room, or the file is damaged." >&2; exit 1; }
    # Whoever comes first puts it in place, whole; others throw theirs away.
    mv -T "$fresh/samrad" "$place" 2>/dev/null || [ -x "$place/samrad" ]
    rm -rf "$fresh"
    trap - EXIT INT TERM
fi
exec "$place/samrad" "$@"
