#!/bin/sh
# Installs what is missing, builds, and trains the multilayer perceptron of examples/mnist_mlp.c on Fashion-MNIST.
# Arguments go to the program: sh scripts/demo.sh --epochs 1 --threads 2
# It runs, and writes its drawings, in the directory that this script is started from.
set -eu
project=$(cd "$(dirname "$0")/.." && pwd)
. "$project/scripts/install-missing.sh"

# Whether the user names a directory with images.
names_data() {
    for argument in "$@"; do
        case $argument in --data | --data=*) return 0 ;; esac
    done
    return 1
}

require compiler cmake build-tool dot
if names_data "$@"; then
    say "images: as --data says"
elif [ -d data/fashion-mnist ]; then
    say "images: no package needed, data/fashion-mnist is here"
elif require_dataset; then
    say "images: Fashion-MNIST from $dataset_directory"
else
    say "images: the package dataset-fashion-mnist is missing; the program makes its own and trains on those"
fi

say "building into $project/build/release"
(
    cd "$project"
    cmake --preset release
    cmake --build --preset release
)
program="$project/build/release/examples/mnist_mlp"
[ -x "$program" ] || fail "the build made no $program"
say "running $program $*"
exec "$program" "$@"
