#!/bin/sh
# Makes dist/samrad, one file that runs without Python. Build it on the oldest system that it is to run on.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
venv=${SAMRAD_BUILD_VENV:-$root/build/venv}
if [ ! -x "$venv/bin/pyinstaller" ] || ! cmp -s requirements.lock "$venv/requirements.lock"; then
    "${PYTHON:-python3}" -m venv --clear "$venv"
    "$venv/bin/pip" --disable-pip-version-check install --quiet --require-hashes --no-deps -r requirements.lock
    "$venv/bin/pip" --disable-pip-version-check install --quiet 'pyinstaller>=6.16,<7'
    cp requirements.lock "$venv/requirements.lock"
fi
SAMRAD_MODEL=${SAMRAD_MODEL:-$root/build/model}
export SAMRAD_MODEL
"$venv/bin/python" -m app.ai.embedding.convert "$SAMRAD_MODEL"
"$venv/bin/pyinstaller" --noconfirm --log-level WARN --distpath build/dist --workpath build/work deploy/binary/samrad.spec
version=$("$venv/bin/python" -c 'import app; print(app.__version__)')-$(cd build/dist && find samrad -type f -exec sha256sum {} + | sort | sha256sum | cut -c1-8)
lines=$(($(wc -l < "$here/launcher.sh") + 1))
mkdir -p dist
sed -e "s/@VERSION@/$version/" -e "s/@LINES@/$lines/" "$here/launcher.sh" > dist/samrad.part
tar -C build/dist -cf - samrad | gzip -6 >> dist/samrad.part
chmod 755 dist/samrad.part
mv dist/samrad.part dist/samrad
du -m build/dist/samrad dist/samrad | tail -2
