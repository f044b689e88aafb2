#!/bin/sh
# check_layers.sh ROOT: a layer includes internal headers only of itself and of the layers before it in the list
# below. The public headers, gradus/*.h, are open to all and include no internal ones; examples see nothing else.
# Prints each violation; status 1 if there is one.
set -eu
cd "$1"

list_includes() {
    for directory in src include examples; do
        [ ! -d "$directory" ] || grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$directory" || true
    done
}

list_includes | awk '
BEGIN {
    n = split("base ops/kernels graph ops nn optim check draw io train", names, " ")
    for (i = 1; i <= n; i++) rank[names[i]] = i
}
# The layer of a path below src/: its directory.
function layer(path) {
    sub(/\/[^\/]*$/, "", path)
    return path
}
function report(why) {
    print file ":" line ": \"" header "\": " why
    bad = 1
}
{
    split($0, field, ":")
    file = field[1]
    line = field[2]
    split($0, part, "\"")
    header = part[2]
    count++
    if (header == "gradus.h" || header ~ /^gradus\/[a-z0-9_]+\.h$/) next
    if (file ~ /^examples\//) {
        if (header !~ /^support\//) report("examples include public headers only")
    } else if (file ~ /^include\//) {
        report("public headers include public headers only")
    } else {
        from = layer(substr(file, 5))
        to = header ~ /\// ? layer(header) : ""
        if (!(from in rank)) report("src/" from " is not a layer")
        else if (!(to in rank)) report("not a path from src/ to a layer")
        else if (rank[to] > rank[from]) report("src/" from " stands before src/" to)
        else if (from == "train" && to != "train" && to != "base") report("src/train is made of public calls")
    }
}
END {
    if (count == 0) {
        print "no include found: is this the project?"
        bad = 1
    }
    if (!bad) print count " includes keep to the layers"
    exit bad
}'
