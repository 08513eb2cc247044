# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What ./touchstone and scripts/test share: installs missing packages, builds, and does neither where all is in place.
# The script that sources it sets `root` (the repository) first. Everything said here goes to stderr.
#
# Read from the environment when something is to be built:
#   TOUCHSTONE_CUDA    AUTO (the default: where there is an nvcc), ON or OFF
#   CUDAARCHS          the GPU architectures to build for (those of released GPUs that nvcc knows by default)
#   TOUCHSTONE_WERROR  ON makes warnings errors (OFF by default, so that a newer compiler does not break a user)

build=${root:?}/build/launcher
program=$build/host/cli/touchstone
# Where scripts/get-cuda-toolkit puts what it brings.
fetched_toolkit=$root/build/cuda-toolkit
lock_file=$build.lock
build_log=$build/build.log
package_log=$build/packages.log
# What the folder is a build for: the repository's place, the system and the CUDA compiler, one a line.
built_for=$build/built-for
# Present where the last build succeeded, and as old as its beginning.
up_to_date=$build/up-to-date
# What the program is made of. Folders count too: their time changes when a file in them is added or deleted.
sources=(CMakeLists.txt cmake emulation host include kernels networks)

# Debian 12, Debian 13 and Ubuntu 24.04 call them by the same names.
packages=(g++ cmake ninja-build libboost-context-dev libcli11-dev libdeflate-dev libfmt-dev libhwy-dev libopenblas-dev
  libpng-dev libthrust-dev libtomlplusplus-dev nlohmann-json3-dev)
test_packages=(libgmock-dev libgtest-dev)

say() { printf 'touchstone: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# Builds the program, unless it is newer than all it is made of.
ensure_program() {
  program_is_current && return
  offer_cuda_compiler
  begin_build
  # Another process may have built it while this one waited.
  program_is_current || build touchstone_program OFF "${packages[@]}"
  end_build
}

# Brings a CUDA compiler where there is none.
ensure_cuda_compiler() {
  describe_build
  [[ -n $nvcc ]] || "$root/scripts/get-cuda-toolkit"
}

# Where there is a GPU and no CUDA compiler, asks whether to bring one, or where nobody can be asked says how to.
offer_cuda_compiler() {
  describe_build
  [[ ${TOUCHSTONE_CUDA:-AUTO} != OFF && -z $nvcc ]] && has_gpu || return 0
  if [[ ! -t 0 || ! -t 2 ]]; then
    say "there is a GPU, but no nvcc to build for it: ./touchstone --with-cuda brings one"
    return
  fi
  local answer
  read -r -p "touchstone: there is a GPU, but no nvcc to build for it. Download one from PyPI (0.5 GB)? [y/N] " answer
  [[ $answer != [yY]* ]] || ensure_cuda_compiler
}

# Whether the NVIDIA driver shows a GPU.
has_gpu() { compgen -G '/proc/driver/nvidia/gpus/*' >/dev/null || [[ -e /dev/nvidia0 ]]; }

# Builds the program and all tests.
ensure_tests() {
  begin_build
  build all ON "${packages[@]}" "${test_packages[@]}"
  end_build
}

program_is_current() {
  [[ -x $program && -f $up_to_date ]] && folder_fits &&
    [[ -z $(cd -- "$root" && find "${sources[@]}" -newer "$up_to_date" -print -quit) ]]
}

# Whether the build folder is one for this place and this system. A CUDA compiler that has come since makes a new one
# worth while; one that is not on PATH any more does not.
folder_fits() {
  local old=()
  [[ ! -f $built_for ]] || mapfile -t old <"$built_for"
  describe_build
  [[ ${old[0]:-} == "$root" && ${old[1]:-} == "$system" && (-n ${old[2]:-} || -z $nvcc) ]]
}

# Sets `system` (distribution and release) and `nvcc` (the one on PATH, else where NVIDIA's packages put it, else the one
# that scripts/get-cuda-toolkit has brought, or empty).
describe_build() {
  local key value
  system=''
  if [[ -r /etc/os-release ]]; then
    while IFS='=' read -r key value; do
      case $key in ID | VERSION_ID) system+="$key=$value " ;; esac
    done </etc/os-release
  fi
  nvcc=$(type -P nvcc || true)
  local place
  for place in /usr/local/cuda "$fetched_toolkit"; do
    if [[ -z $nvcc && -x $place/bin/nvcc ]]; then
      nvcc=$place/bin/nvcc
    fi
  done
}

# One build at a time. The lock goes with the last process that holds it, so an interrupted build leaves none behind.
begin_build() {
  { mkdir -p -- "$build" && true >>"$lock_file"; } 2>/dev/null || die "cannot write to $build: it is another user's"
  exec {lock}>>"$lock_file"
  flock --nonblock "$lock" || {
    say "waiting for another build to finish"
    flock "$lock"
  }
  job=''
  trap 'interrupted 129' HUP
  trap 'interrupted 130' INT
  trap 'interrupted 143' TERM
}

end_build() {
  trap - HUP INT TERM
  exec {lock}>&-
}

interrupted() {
  clear_progress
  if [[ -n $job ]]; then
    kill -TERM -- "-$job" 2>/dev/null || true
    wait "$job" 2>/dev/null || true
  fi
  say "interrupted; the next build goes on from here"
  exit "$1"
}

# build TARGET TESTS PACKAGE...: builds a target, with the tests known to CMake (ON) or, in a new folder, not (OFF).
build() {
  local target=$1 tests=$2 began
  shift 2
  install_packages "$@"
  began=$SECONDS
  # Once more, as a package may have brought an nvcc.
  if ! folder_fits; then
    rm -rf -- "$build"
    mkdir -- "$build"
    printf '%s\n' "$root" "$system" "$nvcc" >"$built_for"
  fi
  touch -- "$up_to_date.new"
  configure "$tests"
  compile "$target"
  mv -- "$up_to_date.new" "$up_to_date"
  say "built in $((SECONDS - began)) s"
}

# Installs those of the given packages that are missing.
install_packages() {
  local installed package missing=() as_root=()
  if ! type -P dpkg-query apt-get >/dev/null; then
    require_tools "$@"
    return
  fi
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    [[ $'\n'$installed$'\n' == *$'\n'"installed $package"$'\n'* ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0

  if ((EUID != 0)); then
    as_root=(sudo)
    # Where sudo asks for a password, there has to be a terminal to ask at.
    [[ -n $(type -P sudo) && -t 0 ]] || sudo -n true 2>/dev/null ||
      die "packages are missing; run this as root, then try again: apt-get install ${missing[*]}"
  fi
  say "installing: ${missing[*]}"
  apt_get_install "${missing[@]}" </dev/null >"$package_log" 2>&1 {lock}>&- || {
    tail -n 20 -- "$package_log" >&2
    die "installing packages failed (see above); run this as root, then try again: apt-get install ${missing[*]}"
  }
}

apt_get_install() {
  # What an interrupted installation may have left half done.
  "${as_root[@]}" dpkg --configure -a
  # Where this fails, the lists at hand may still do.
  "${as_root[@]}" apt-get update || true
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
    --option DPkg::Lock::Timeout=300 "$@"
}

# Where packages have other names: names the tools that no build can start without; CMake names the libraries.
require_tools() {
  local tool
  for tool in c++ cmake ninja; do
    type -P "$tool" >/dev/null || die "$tool is missing; install it and what corresponds to these packages of Debian: $*"
  done
}

configure() {
  local tests=$1 cache=$build/CMakeCache.txt new=''
  [[ -f $cache ]] || new=yes
  if [[ -n $nvcc ]]; then
    export CUDACXX=${CUDACXX:-$nvcc}
  fi
  # Tests that were configured stay so: without them ninja would delete what they were built to.
  if [[ -z $new ]] && grep -q '^TOUCHSTONE_TESTS:BOOL=ON' "$cache"; then
    tests=ON
  fi
  # A folder left from other compilers or packages may not configure; a fresh one may.
  run_cmake "$tests" || run_cmake "$1" --fresh || build_failed "the build could not be configured"
  if [[ -n $new ]]; then
    sed -n 's/^-- \(.*CUDA backend.*\)/touchstone: \1/p' "$build_log" >&2
  fi
}

# run_cmake TESTS [ARGUMENT...]
run_cmake() {
  local tests=$1
  shift
  cmake "$@" -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DTOUCHSTONE_TESTS="$tests" \
    -DTOUCHSTONE_CUDA="${TOUCHSTONE_CUDA:-AUTO}" -DTOUCHSTONE_WERROR="${TOUCHSTONE_WERROR:-OFF}" \
    ${CUDAARCHS:+-DCMAKE_CUDA_ARCHITECTURES="$CUDAARCHS"} >"$build_log" 2>&1
}

# Builds a target in a process group of its own, which `interrupted` can end as a whole.
compile() {
  local target=$1 progress
  say "building (the log is $build_log)"
  set -m
  NINJA_STATUS='[%f/%t] ' cmake --build "$build" --target "$target" --parallel "$(nproc)" </dev/null >>"$build_log" 2>&1 &
  job=$!
  set +m
  while kill -0 "$job" 2>/dev/null; do
    if [[ -t 2 ]]; then
      progress=$(tail -n 1 -- "$build_log")
      [[ $progress != '['*']'* ]] || printf '\r\033[Ktouchstone: building %s]' "${progress%%]*}" >&2
    fi
    sleep 0.2
  done
  clear_progress
  wait "$job" || build_failed "the build failed"
  job=''
}

clear_progress() { [[ ! -t 2 ]] || printf '\r\033[K' >&2; }

build_failed() {
  tail -n 40 -- "$build_log" >&2
  die "$1 (above, the end of $build_log)"
}
