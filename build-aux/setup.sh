# Sourced by ./start and ./check with $top set: packages, configure and make, only when something changed.
# shellcheck shell=sh disable=SC2034,SC2154

build=$top/build

packages_build='gcc make libc6-dev autoconf automake autopoint autotools-dev gettext pkg-config
    libncurses-dev libedit-dev libicu-dev libsqlite3-dev libjansson-dev
    liblapack3'
packages_check='libcmocka-dev tmux python3 python3-venv python3-pip sqlite3 man-db groff xz-utils file'
packages_all='clang libclang-rt-dev'

say() {
    printf 'kaiwa: %s\n' "$*" >&2
}

# As root, through sudo without a password, or through sudo on a terminal; else says what to run.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif sudo -n true 2>/dev/null; then
        sudo -n "$@"
    elif [ -t 0 ] && [ -t 2 ] && command -v sudo >/dev/null; then
        sudo "$@"
    else
        return 1
    fi
}

apt_install() { # apt_install LOG PACKAGE...
    log=$1
    shift
    # A fresh system has no lists; old ones may name packages that are gone.
    if ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1 &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
        return
    fi
    as_root apt-get update >>"$log" 2>&1 </dev/null
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null
}

need_packages() { # need_packages PACKAGE...: installs what is missing, on Debian and its kin
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || return 0
    missing=
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) in
            ?i*) ;;
            *) missing="$missing $package" ;;
        esac
    done
    [ -z "$missing" ] && return 0
    mkdir -p "$build"
    if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null && ! { [ -t 0 ] && [ -t 2 ] && command -v sudo >/dev/null; }; then
        say "packages are missing: run: apt-get install$missing"
        exit 1
    fi
    say "installing$missing"
    # shellcheck disable=SC2086
    apt_install "$build/apt.log" $missing && return 0
    tail -n 5 "$build/apt.log" >&2
    say "packages are missing: run: apt-get install$missing"
    exit 1
}

gpu_here() {
    ls /proc/driver/nvidia/gpus/* >/dev/null 2>&1 || [ -e /dev/nvidia0 ] ||
        { [ -e /dev/dxg ] && command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }
}

find_nvcc() {
    for nvcc in "${NVCC:-}" "${CUDA_HOME:+$CUDA_HOME/bin/nvcc}" "$(command -v nvcc)" /usr/local/cuda/bin/nvcc; do
        if [ -n "$nvcc" ] && [ -x "$nvcc" ]; then
            printf '%s\n' "$nvcc"
            return
        fi
    done
}

cuda_flags() { # options for configure on this machine
    if ! gpu_here; then
        echo --with-cuda=no
    elif [ -n "$nvcc" ]; then
        printf '%s\n' "--with-cuda=yes --with-cuda-arch=native NVCC=$nvcc"
    else
        echo --with-cuda=no
    fi
}

# What a build depends on beside the sources, one line each.
fingerprint() {
    printf 'flags %s\n' "$(cuda_flags) $configure_flags ${KAIWA_CONFIGURE_FLAGS:-}"
    cc=$(command -v "${CC:-gcc}")
    printf 'cc %s\n' "$cc"
    [ -n "$cc" ] && "$cc" --version | sed 1q
    [ -n "$nvcc" ] && gpu_here && "$nvcc" --version | tail -n 2
    printf 'top %s\n' "$top"
}

newer_sources() { # newer_sources FILE: one source that is newer than FILE, if there is any
    (cd "$top" && find configure.ac Makefile.am autogen.sh po m4 src engine kernels ui man tests/local.mk -type f \
        -newer "$1" \( -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh' -o -name '*.mk' -o -name Makefile.am \
        -o -name configure.ac -o -name 'prog_*.m4' -o -name '*.po' -o -name LINGUAS -o -name '*.[1-9]' \
        -o -name calibration.txt \) | sed 1q)
}

newer_build_files() { # the same for what makes configure and Makefile.in
    (cd "$top" && find configure.ac Makefile.am m4 src engine kernels ui man tests -type f -newer "$1" \
        \( -name '*.mk' -o -name Makefile.am -o -name configure.ac -o -name 'prog_*.m4' \) | sed 1q)
}

up_to_date() {
    [ -x "$build/kaiwa" ] && [ -f "$build/.stamp" ] && [ -f "$top/configure" ] &&
        [ "$(cat "$build/.stamp")" = "$stamp" ] && [ -z "$(newer_sources "$build/.stamp")" ]
}

step() { # step LOG COMMAND...: quiet unless it fails
    log=$1
    shift
    if ! LC_ALL=C "$@" >"$log" 2>&1 </dev/null; then
        # What went wrong may stand far above the end.
        grep -E 'error:|\*\*\* No rule|undefined reference' "$log" | head -n 20 | grep . >&2 || tail -n 20 "$log" >&2
        say "failed: $*; the whole output is in $log"
        return 1
    fi
}

make_configure() {
    if [ ! -f "$top/configure" ] || [ -n "$(newer_build_files "$top/configure")" ]; then
        say "making configure"
        step "$build/autogen.log" "$top/autogen.sh" || exit 1
    fi
}

run_configure() {
    # shellcheck disable=SC2046,SC2086
    (cd "$build" && step "$build/configure.log" "$top/configure" $(cuda_flags) $configure_flags ${KAIWA_CONFIGURE_FLAGS:-})
}

# Builds into build/ when needed.  Sets jobs.  Two at once wait for each other.
build_program() { # build_program CONFIGURE_FLAGS PACKAGE...
    configure_flags=$1
    shift
    nvcc=$(find_nvcc)
    stamp=$(fingerprint)
    up_to_date && return
    need_packages "$@"
    stamp=$(fingerprint) # the compiler may have come just now
    mkdir -p "$build"
    exec 9>"$build/.lock"
    if command -v flock >/dev/null; then
        flock 9
    fi
    if ! up_to_date; then
        if gpu_here && [ -z "$nvcc" ]; then
            say "an NVIDIA GPU is here but no nvcc: building for the CPU; for the GPU install NVIDIA's CUDA toolkit (or apt-get install nvidia-cuda-toolkit) and run this again"
        fi
        make_configure
        # Taken before the build, so that what is edited meanwhile counts as newer.
        printf '%s\n' "$stamp" >"$build/.stamp.new"
        if [ ! -f "$build/config.status" ] || [ ! -f "$build/.flags" ] || [ "$(cat "$build/.flags")" != "$stamp" ] ||
            [ -n "$(find "$top/configure" -newer "$build/config.status")" ]; then
            say "configuring"
            run_configure || exit 1
            printf '%s\n' "$stamp" >"$build/.flags"
        fi
        say "building"
        step "$build/build.log" make -C "$build" -j "$(nproc)" all || exit 1
        mv "$build/.stamp.new" "$build/.stamp"
    fi
    exec 9>&-
}
