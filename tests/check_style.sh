#!/bin/sh
# check_style.sh ROOT: what the library promises about all of src/, looked for in the code without its comments and
# strings. Prints each violation; status 1 if there is one.
#   It never prints, aborts, exits or asserts; it takes memory from the graph only (src/base/memory.c is where
#   that comes from); it does not decide by the kind of an operation: no switch on one, no comparison with one.
set -eu
cd "$1"
files=$(find src -type f \( -name '*.[ch]' -o -name '*.inc' \) | LC_ALL=C sort)
if [ -z "$files" ]; then
    echo "no source found: is this the project?"
    exit 1
fi
# shellcheck disable=SC2086,SC2016 # names without blanks, to be split; a program of awk, not of the shell
awk '
BEGIN {
    before = "(^|[^A-Za-z0-9_])"
    print_call = before "(printf|vprintf|puts|putchar|perror)[ \t]*\\(" "|" before "(stdout|stderr)([^A-Za-z0-9_]|$)"
    end_call = before "(abort|exit|_exit|_Exit|quick_exit|raise|longjmp|assert)[ \t]*\\("
    memory_call = before "(malloc|calloc|realloc|aligned_alloc|posix_memalign|free|strdup|strndup|alloca)[ \t]*\\("
    op_switch = before "switch[ \t]*\\((.*[^A-Za-z0-9_])?(op|kind|opcode)([^A-Za-z0-9_]|$)"
    op_compare = "[!=]=[ \t]*&[ \t]*gri_op_"
}
FNR == 1 { in_comment = 0; files++ }
# The line without comments and with empty strings.
function code(line,    out, c, two) {
    out = ""
    while (line != "") {
        c = substr(line, 1, 1)
        two = substr(line, 1, 2)
        if (in_comment) {
            if (!match(line, /\*\//)) return out
            line = substr(line, RSTART + 2)
            in_comment = 0
        } else if (two == "/*") {
            in_comment = 1
            line = substr(line, 3)
            out = out " "
        } else if (two == "//") {
            return out
        } else if (c == "\"" && match(line, /^"([^"\\]|\\.)*"/)) {
            line = substr(line, RLENGTH + 1)
            out = out "\"\""
        } else if (c == "\x27" && match(line, /^\x27([^\x27\\]|\\.)+\x27/)) {
            line = substr(line, RLENGTH + 1)
            out = out "0"
        } else if (match(line, /^[^\/"\x27]+/)) {
            out = out substr(line, 1, RLENGTH)
            line = substr(line, RLENGTH + 1)
        } else {
            out = out c
            line = substr(line, 2)
        }
    }
    return out
}
function report(why) {
    print FILENAME ":" FNR ": " why ": " $0
    bad = 1
}
{
    text = code($0)
    if (text ~ print_call) report("prints")
    if (text ~ end_call) report("ends the program")
    if (text ~ memory_call && FILENAME != "src/base/memory.c") report("takes memory past the graph")
    if (text ~ op_switch || text ~ op_compare) report("decides by the kind of an operation")
}
END {
    if (!bad) print files " files keep the promises"
    exit bad
}' $files
