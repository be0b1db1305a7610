#!/bin/sh
# Debian packages that the tests use: off-screen rendering, Qt, and the DICOM validator; then a second reader of
# RT Structure Sets and a PACS, each apart, because not every release has them.
# As root they are installed; else one line names what is missing, and the tests that need them skip with the reason.
packages="libegl1 libegl-mesa0 libgl1-mesa-dri libxkbcommon0 libfontconfig1 libdbus-1-3 libglib2.0-0 fonts-dejavu-core dicom3tools"
second_readers="plastimatch"
pacs="orthanc orthanc-dicomweb"
command -v dpkg-query >/dev/null 2>&1 || exit 0

provide() {
    missing=""
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
    done
    [ -z "$missing" ] && return
    if [ "$(id -u)" = 0 ]; then
        apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >/dev/null && return
        echo "These packages could not be installed:$missing" >&2
    else
        echo "Some tests will skip. To run them: sudo apt-get install --no-install-recommends$missing" >&2
    fi
}

provide $packages
provide $second_readers
# The tests start their own, on loopback: the package's service, open to the network, must not start.
[ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] && ! dpkg-query -W orthanc >/dev/null 2>&1 && systemctl --quiet mask orthanc.service
provide $pacs
exit 0
