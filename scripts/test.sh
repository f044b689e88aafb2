#!/bin/sh
# Installs what is missing, builds, and runs the whole test suite twice: optimised, and under the address and
# undefined-behaviour sanitizers. Warnings are errors here. Where clang is installed it must compile everything, too.
set -eu
cd "$(dirname "$0")/.."
. scripts/install-missing.sh

require compiler c++ cmake build-tool dot

# A test that hangs must not hold up the rest for long.
seconds_per_test=600

build_and_test() {
    say "$1: building into build/$1"
    cmake --preset "$1" -D GRADUS_WARNINGS_AS_ERRORS=ON
    cmake --build --preset "$1"
    say "$1: running the tests"
    ctest --preset "$1" --no-tests=error --timeout "$seconds_per_test"
}

build_with_clang() {
    if ! has clang; then
        say "clang: not installed, skipped; gcc has compiled everything without a warning"
        return
    fi
    say "clang: compiling into build/clang"
    cmake -S . -B build/clang -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release \
        -DGRADUS_WARNINGS_AS_ERRORS=ON
    cmake --build build/clang --parallel 2
}

build_and_test release
build_with_clang
build_and_test asan
say "all passed: release and asan"
