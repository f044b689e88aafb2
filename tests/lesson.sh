#!/bin/sh
# lesson.sh LESSON OUTPUT: whether a lesson still says what the program that it quotes writes into OUTPUT.
#   A block behind "<!-- from FILE -->" quotes FILE: each of its lines is one of the file, in the order of the file.
#   Every number of four digits or more behind a point stands in some text of OUTPUT.
#   The pictures show the texts that those of OUTPUT show, if there are any (they are made by dot).
# Prints what is not so; status 1 if there is anything.
set -eu
LC_ALL=C
export LC_ALL
lesson=$1
output=$2
[ -s "$lesson" ] && [ -d "$output" ] || { echo "no lesson $lesson, or no directory $output"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

awk -v output="$output" '
function fail(why) { print FILENAME ":" FNR ": " why; bad = 1 }
/^<!-- from .* -->$/ {
    file = output "/" $3
    blocks++
    at = n = 0
    while ((getline line < file) > 0) text[++n] = line
    close(file)
    if (n == 0) fail("nothing in " file)
    quoting = 1
    next
}
quoting && /^    / {
    quoted++
    line = substr($0, 5)
    while (at < n && text[++at] != line) continue
    if (text[at] == line) {
        text[at] = "" # it is taken
        next
    }
    fail("not in " file ", or not in this order: " line)
    quoting = 0
    next
}
quoting && /^$/ { next }
{ quoting = 0 }
END {
    if (blocks < 5 || quoted < 20) { print FILENAME ": " blocks + 0 " blocks of " quoted + 0 " lines are quoted: is this the lesson?"; bad = 1 }
    exit bad
}' "$lesson" || status=1

# Numbers: what is left of them without zeros in front has four digits or more.
cat "$output"/*.txt >"$work/texts"
grep -oE '[0-9]+\.[0-9]+(e.{0,3}[0-9]+)?' "$lesson" | awk '{ digits = $0; sub(/e.*/, "", digits); gsub(/[^0-9]/, "", digits)
    sub(/^0+/, "", digits); if (length(digits) >= 4) print }' | sort -u >"$work/numbers"
[ "$(wc -l <"$work/numbers")" -ge 20 ] || { echo "$lesson: hardly any numbers"; status=1; }
while read -r number; do
    grep -qF -- "$number" "$work/texts" || { echo "$lesson: $number is in no text of $output"; status=1; }
done <"$work/numbers"

texts_of() { sed -n 's/.*<text[^>]*>\(.*\)<\/text>.*/\1/p' "$1"; }
for picture in $(grep -oE 'pictures/[a-z_0-9]+\.svg' "$lesson"); do
    name=${picture#pictures/}
    [ -s "$output/$name" ] || { echo "SKIPPED: pictures, for there is no $output/$name"; break; }
    texts_of "$(dirname "$lesson")/$picture" >"$work/old"
    texts_of "$output/$name" >"$work/new"
    [ -s "$work/new" ] && diff "$work/old" "$work/new" >"$work/diff" ||
        { echo "$lesson: $picture (<) is not what derivation_paths draws (>):"; head -9 "$work/diff"; status=1; }
done
exit ${status:-0}
