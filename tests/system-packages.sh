#!/bin/sh
# Programs the tests need that pip cannot bring: COMMAND PACKAGE..., one a line.
# Installs what is missing through apt-get; where that is not possible, says what to install.
set -eu

missing=""
while read -r command packages; do
    command -v "$command" >/dev/null 2>&1 || missing="$missing $packages"
done <<'EOF'
node nodejs
npm npm
tshark tshark
EOF
[ -n "$missing" ] || exit 0

echo "Installing for the tests:$missing"
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo -n"
if ! { command -v apt-get && { [ -z "$as_root" ] || command -v sudo; }; } >/dev/null 2>&1; then
    echo "The tests need:$missing. Install them and try again." >&2
    exit 1
fi
$as_root apt-get update -qq
# shellcheck disable=SC2086  # a list of packages
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
