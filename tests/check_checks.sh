#!/bin/sh
# check_checks.sh TESTS: the scripts check_layers.sh and check_style.sh must accept a good tree and reject each of
# the bad ones made here.
set -eu
tests=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
failed=0
cases=0

# The good tree: words that are forbidden stand in it where they are allowed.
make_tree() {
    rm -rf "${tree:?}"/*
    mkdir -p "$tree/src/base" "$tree/src/ops/kernels" "$tree/src/graph" "$tree/src/ops" "$tree/src/nn" \
        "$tree/src/optim" "$tree/src/io" "$tree/src/train" "$tree/include/gradus" "$tree/examples"
    echo '#include "gradus/graph.h"' >"$tree/src/base/a.c"
    echo '#include "base/a.h"' >"$tree/src/ops/kernels/b.c"
    echo '#include "ops/kernels/b.h"' >"$tree/src/graph/c.c"
    echo '#include "graph/c.h"' >"$tree/src/ops/d.c"
    printf '#include "gradus/fit.h"\n#include "base/a.h"\n#include "train/t.h"\n' >"$tree/src/train/t.c"
    echo '#include "gradus.h"' >"$tree/examples/e.c"
    echo '#include "gradus/api.h"' >"$tree/include/gradus/graph.h"
    cat >"$tree/src/io/f.c" <<'END'
/* printf("x"); abort();
   malloc(3) stdout */
// exit(1);
static const char *text = "abort() \" malloc(", quote = '"';
int f(void) { snprintf(to, 3, "x"); gri_free(m, b, 1); switch (type) { default: return list_free(x); } }
END
    echo 'void *m(void) { return malloc(3); }' >"$tree/src/base/memory.c"
}

# expect STATUS SCRIPT WHAT
expect() {
    cases=$((cases + 1))
    status=0
    output=$(sh "$tests/$2" "$tree" 2>&1) || status=$?
    if [ "$status" -ne "$1" ]; then
        echo "$2 ended with $status, expected $1: $3"
        echo "$output"
        failed=1
    fi
}

# bad SCRIPT FILE LINE: the good tree with one more line
bad() {
    make_tree
    printf '%s\n' "$3" >>"$tree/$2"
    expect 1 "$1" "$2 with $3"
}

make_tree
expect 0 check_layers.sh "the good tree"
expect 0 check_style.sh "the good tree"

bad check_layers.sh src/base/a.c '#include "graph/c.h"'
bad check_layers.sh src/base/a.c '#  include "ops/kernels/b.h"'
bad check_layers.sh src/ops/kernels/b.c '#include "ops/d.h"'
bad check_layers.sh src/ops/d.c '#include "nn/n.h"'
bad check_layers.sh src/optim/o.c '#include "io/f.h"'
bad check_layers.sh src/io/f.c '#include "train/t.h"'
bad check_layers.sh src/train/t.c '#include "graph/c.h"'
bad check_layers.sh src/graph/c.c '#include "c.h"'
bad check_layers.sh src/graph/c.c '#include "../base/a.h"'
bad check_layers.sh examples/e.c '#include "graph/c.h"'
bad check_layers.sh include/gradus/graph.h '#include "base/a.h"'

for call in 'printf("x")' 'puts (s)' 'fputs(s, stderr)' 'abort()' 'exit(1)' '_Exit(2)' 'assert(x)' 'malloc(3)' \
    'free(p)' 'x = realloc(p, 3)' 'strdup(s)' 'switch (op)' 'switch (node->op)' 'switch (op->kind)' \
    'if (op == &gri_op_add)' '/* a */ abort() /* b */' '"\"" abort() "'; do
    bad check_style.sh src/graph/c.c "$call;"
done
rm -rf "${tree:?}"/*
mkdir "$tree/src"
expect 1 check_layers.sh "an empty tree"
expect 1 check_style.sh "an empty tree"

echo "$cases cases"
exit "$failed"
