# Finds what is not there and installs it with apt-get. Sourced by demo.sh and test.sh:
#
#   require compiler c++ cmake build-tool dot   installs what is missing of these, or ends with a message
#   require_dataset                             the same for the images; status 1, and a message, if it cannot
#
# When nothing is missing it does nothing, needs no rights and no network.

dataset_directory=/usr/share/datasets/fashion-mnist

say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }
fail() {
    say "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Whether a need is met already.
is_there() {
    case $1 in
    compiler) has cc ;;
    build-tool) has make || has ninja ;;
    dataset) [ -r "$dataset_directory/train-images-idx3-ubyte.gz" ] ||
        [ -r "$dataset_directory/train-images-idx3-ubyte" ] ;;
    *) has "$1" ;;
    esac
}

# The Debian package that meets it.
package_for() {
    case $1 in
    compiler) echo build-essential ;;
    c++) echo g++ ;;
    build-tool) echo make ;;
    dot) echo graphviz ;;
    dataset) echo dataset-fashion-mnist ;;
    *) echo "$1" ;;
    esac
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Installs packages; if that is impossible, says why and returns 1.
install_packages() {
    if ! has apt-get; then
        say "apt-get is not on this machine; install by hand what these Debian packages hold: $*" >&2
        return 1
    fi
    if [ "$(id -u)" -ne 0 ] && ! has sudo; then
        say "this is not root and there is no sudo; run as root: apt-get install $*" >&2
        return 1
    fi
    say "installing $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update ||
        say "apt-get update failed; trying with the lists that are there" >&2
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"; then
        say "apt-get could not install $*; its messages are above" >&2
        return 1
    fi
}

# The packages of the needs that are not met; one line, empty if there are none.
missing_packages() {
    packages=
    for need in "$@"; do
        is_there "$need" || packages="$packages $(package_for "$need")"
    done
    echo "${packages# }"
}

# The presets need a cmake that older systems do not have.
check_cmake() {
    version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9]*\.[0-9]*\).*/\1/p')
    if [ "${version%.*}" -lt 3 ] || { [ "${version%.*}" -eq 3 ] && [ "${version#*.}" -lt 25 ]; }; then
        fail "cmake $version is here, 3.25 is needed for the presets; older ones (from 3.16) build by" \
            "cmake -S . -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build"
    fi
}

require() {
    packages=$(missing_packages "$@")
    if [ -n "$packages" ]; then
        # shellcheck disable=SC2086 # a list of names, to be split
        install_packages $packages || fail "cannot go on without: $packages"
        packages=$(missing_packages "$@")
        [ -z "$packages" ] || fail "still missing after the installation: $packages"
    fi
    check_cmake
    if ! has make; then
        CMAKE_GENERATOR=Ninja
        export CMAKE_GENERATOR
    fi
}

require_dataset() {
    is_there dataset || { install_packages "$(package_for dataset)" && is_there dataset; }
}
