#!/bin/sh
# steps_page.sh DIRECTORY [BROWSER]: opens the pages that test_steps wrote in a browser without a window, presses keys and
# buttons, and looks at what the pages then say. Without a browser that runs it says so, and CTest counts it as skipped.
set -eu
directory=$1
browser=${2:-}
work=$(mktemp -d "$directory/browser.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The document of an address, after its scripts and six seconds of its own clock.
open_page() {
    timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
        "--user-data-dir=$work/profile" --virtual-time-budget=6000 --dump-dom "$1" 2>"$work/errors"
}

if [ -z "$browser" ]; then
    echo "SKIPPED: no Chromium was found when the build was configured: no page was opened"
    exit 0
fi
echo '<!DOCTYPE html><p id="p"></p><script>document.getElementById("p").textContent = "rea" + "dy";</script>' \
    >"$work/ready.html"
if ! open_page "file://$work/ready.html" >"$work/ready.txt" || ! grep -q '>ready<' "$work/ready.txt"; then
    echo "SKIPPED: $browser does not run here: no page was opened"
    exit 0
fi

# A page with a script of ours behind its own. What it says is in <pre id="probe">, a line each.
probe() { # PAGE SCRIPT FRAGMENT
    [ -s "$directory/$1" ] || { echo "no $directory/$1: test_steps writes it" >&2; exit 1; }
    {
        sed '/^<\/body>$/,$d' "$directory/$1"
        echo '<pre id="probe"></pre><script>'
        cat "$work/common.js" "$2"
        echo '</script></body></html>'
    } >"$work/$1"
    open_page "file://$work/$1$3" >"$work/dom.txt"
    sed -n '/<pre id="probe">/,/<\/pre>/p' "$work/dom.txt" | sed 's/.*<pre id="probe">//; s/<\/pre>.*//; /^$/d'
}

cat >"$work/common.js" <<'JS'
function say(text) { document.getElementById('probe').textContent += text + '\n'; }
function of(id) { return document.getElementById(id); }
function now(what) { say(what + ': ' + of('count').textContent + ': ' + of('formula').textContent); }
function key(name) { document.body.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true })); }
function classes(id) { return of(id).getAttribute('class'); }
JS

cat >"$work/walk.js" <<'JS'
now('opened');
say('note ' + of('note').textContent);
say('live ' + of('now').getAttribute('aria-live'));
var current = document.querySelectorAll('#steps tr[aria-current]');
say('row ' + current.length + ' ' + current[0].querySelector('a').textContent);
var edge = document.querySelectorAll('g.edge.now');
say('edges ' + edge.length + ' ' + edge[0].id + ' ' + edge[0].getAttribute('class'));
say('done ' + document.querySelectorAll('g.edge.done').length + ' ahead ' + document.querySelectorAll('g.edge.ahead').length +
    ' idle ' + document.querySelectorAll('g.edge.idle').length);
say('arrows ' + Array.from(edge[0].querySelectorAll('polygon')).map(function (p) { return p.getAttribute('class'); }));
var row = document.querySelector('#numbers tr.now');
say('number ' + Array.from(row.children).map(function (c) { return c.textContent; }).join(', ') + ', ' + row.className);
say('in the drawing ' + of(row.getAttribute('data-of')).querySelectorAll('text')[1].textContent + ', ' +
    classes(row.getAttribute('data-of')));
key('ArrowRight'); now('right');
key('ArrowRight'); now('right'); say('note ' + of('note').textContent);
key('ArrowLeft'); now('left');
key('End'); now('end'); say('next ' + of('next').disabled + ' back ' + of('back').disabled);
say('complete ' + document.querySelectorAll('#numbers tr.complete').length + ' of ' +
    document.querySelectorAll('#numbers tbody tr').length);
key('Home'); now('home'); say('none yet ' + document.querySelectorAll('g.edge.now, g.edge.done').length);
of('next').click(); now('next');
of('last').click(); now('last');
of('back').click(); now('back');
of('first').click(); now('first');
of('slider').value = 4; of('slider').dispatchEvent(new Event('input')); now('slider');
say('address ' + location.hash);
document.querySelectorAll('#steps a')[11].click();
setTimeout(function () {
  now('link');
  key(' '); say(of('play').textContent);
  setTimeout(function () {
    now('played'); key(' '); say(of('play').textContent);
    setTimeout(function () { now('paused'); }, 1600);
  }, 3100);
}, 100);
JS
probe page.html "$work/walk.js" '#step=8' >"$work/walk.txt"
cat >"$work/expected.txt" <<'TEXT'
opened: Step 8 of 21: ∂E/∂h1 += ∂E/∂net_o1 · w5 = 0.138499 · 0.4 = 0.0553994
note 1 of 2
live polite
row 1 8
edges 1 gr_e12 edge now back
done 6 ahead 13 idle 10
arrows head,stub
number h1, 0.593270, +0.0553994, 1 of 2, partial now
in the drawing grad +0.0553994 + …, node partial to
right: Step 9 of 21: ∂E/∂h2 += ∂E/∂net_o1 · w6 = 0.138499 · 0.45 = 0.0623244
right: Step 10 of 21: ∂E/∂w5 += ∂E/∂net_o1 · h1 = 0.138499 · 0.593270 = 0.0821670
note complete
left: Step 9 of 21: ∂E/∂h2 += ∂E/∂net_o1 · w6 = 0.138499 · 0.45 = 0.0623244
end: Step 21 of 21: ∂E/∂w4 += ∂E/∂net_h2 · i2 = 0.00995425 · 0.1 = 0.000995425
next true back false
complete 19 of 19
home: Step 0 of 21: Nothing has arrived yet: take the first step.
none yet 0
next: Step 1 of 21: ∂E/∂E = 1
last: Step 21 of 21: ∂E/∂w4 += ∂E/∂net_h2 · i2 = 0.00995425 · 0.1 = 0.000995425
back: Step 20 of 21: ∂E/∂w3 += ∂E/∂net_h2 · i1 = 0.00995425 · 0.05 = 0.000497713
first: Step 0 of 21: Nothing has arrived yet: take the first step.
slider: Step 4 of 21: ∂E/∂o1 += ∂E/∂E1 · (o1 − t1) = 1 · 0.741365 = 0.741365
address #step=4
link: Step 12 of 21: ∂E/∂h1 += ∂E/∂net_o2 · w7 = −0.0380982 · 0.5 = −0.0190491
Pause
played: Step 14 of 21: ∂E/∂w7 += ∂E/∂net_o2 · h1 = −0.0380982 · 0.593270 = −0.0226025
Play
paused: Step 14 of 21: ∂E/∂w7 += ∂E/∂net_o2 · h1 = −0.0380982 · 0.593270 = −0.0226025
TEXT
if ! diff "$work/expected.txt" "$work/walk.txt"; then
    echo "the page (>) does not do what it should (<)"
    exit 1
fi

# Hostile names: shown as they are, run never.
cat >"$work/names.js" <<'JS'
var names = Array.from(document.querySelectorAll('#numbers th[scope=row]')).map(function (t) { return t.textContent; });
names.sort().forEach(function (name) { say(encodeURIComponent(name)); });
say('hacked ' + window.hacked + ' images ' + document.images.length + ' scripts ' + document.scripts.length);
say('title ' + encodeURIComponent(document.title));
key('End'); now('end');
JS
probe hostile.html "$work/names.js" '' >"$work/names.txt"
status=0
while read -r name; do
    grep -Fqx -- "$name" "$work/names.txt" || { echo "the page has no number of the name $name"; status=1; }
done <"$directory/hostile.txt"
grep -Fqx 'hacked undefined images 0 scripts 2' "$work/names.txt" || { echo "a name was taken for markup"; status=1; }
grep -Fqx 'title %3C%2Fscript%3E%3Cscript%3Ehacked%3D1%3C%2Fscript%3E' "$work/names.txt" ||
    { echo "the title is not what it was given as"; status=1; }
grep -q '^end: Step \([0-9]*\) of \1: ' "$work/names.txt" || { echo "the page of hostile names does not go to its end"; status=1; }
[ $status -eq 0 ] || { cat "$work/names.txt"; exit 1; }
echo "both pages do what they should"
