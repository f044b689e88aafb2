/*
 * Steps as a page that goes forward and back.
 *
 * All that differs from page to page is in its text and attributes: a table of numbers, a table of steps, the SVG.
 * The style and the script are constants. The script reads the tables, so that no text of others ever is part of a
 * script, and the page without the script still says everything.
 *
 * Invariant: text of others goes out through gri_put_foreign, escaped for both text and attributes.
 */
#include "draw/steps.h"

#include <stdio.h>
#include <string.h>

static const char *const page_style[] = {
    ":root { color-scheme: light; --ink: #1a1a1a; --soft: #5a5a5a; --line: #c8c8c8; --now: #d55e00; --mark: "
    "#fff3c4; }\n",
    "* { box-sizing: border-box; }\n",
    "body { margin: 0; background: #fff; color: var(--ink);\n",
    "  font: 16px/1.45 system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif; }\n",
    "main { max-width: 90rem; margin: 0 auto; padding: 1rem 1.25rem 2rem; }\n",
    "h1 { font-size: 1.35rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }\n",
    "h2 { font-size: 1rem; margin: 0 0 .4rem; }\n",
    ".figure { overflow-x: auto; border: 1px solid var(--line); border-radius: .4rem; padding: .5rem;\n",
    "  margin-bottom: 1rem; }\n",
    ".figure svg { display: block; margin: 0 auto; height: auto; max-width: 100%; max-height: 75vh;\n",
    "  min-width: 44rem; }\n",
    ".bar { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: 0; padding: .5rem 0; "
    "}\n",
    ".bar[hidden] { display: none; }\n",
    "button { font: inherit; padding: .3rem .9rem; border: 1px solid #767676; border-radius: .35rem; "
    "background: #f4f4f4;\n",
    "  color: inherit; cursor: pointer; }\n",
    "button:hover { background: #e7e7e7; }\n",
    "button:disabled { color: #767676; cursor: default; }\n",
    "button#play { min-width: 5.2rem; }\n",
    ":focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }\n",
    "#slider { flex: 1 1 12rem; accent-color: #0072b2; }\n",
    "#count { min-width: 8.5rem; text-align: right; font-variant-numeric: tabular-nums; }\n",
    ".top { position: sticky; top: 0; z-index: 1; background: #fff; padding-bottom: .6rem; }\n",
    "#now { min-height: 4.4rem; margin: 0; padding: .5rem .8rem; border-left: .4rem solid "
    "var(--now);\n",
    "  background: #faf7f2; }\n",
    "#now p { margin: 0; overflow-wrap: anywhere; }\n",
    "#formula { font-size: 1.25rem; font-variant-numeric: tabular-nums; }\n",
    "#note { color: var(--soft); min-height: 1.45em; font-variant-numeric: tabular-nums; }\n",
    ".columns { display: grid; grid-template-columns: minmax(23rem, 1fr) minmax(24rem, 3fr); gap: 1.25rem; "
    "}\n",
    "@media (max-width: 56rem) { .columns { grid-template-columns: minmax(0, 1fr); } }\n",
    ".list { max-height: 24rem; overflow: auto; border: 1px solid var(--line); border-radius: .4rem; "
    "position: relative; }\n",
    "table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums; "
    "}\n",
    "th, td { text-align: left; padding: .18rem .5rem; vertical-align: top; font-weight: normal; }\n",
    "thead th { position: sticky; top: 0; background: #f0f0f0; font-weight: 600; white-space: nowrap; }\n",
    "tbody tr { border-top: 1px solid #eee; }\n",
    "tbody tr.partial .state, tbody tr.complete .adjoint { font-weight: 700; }\n",
    "tbody tr.now { background: var(--mark); box-shadow: inset .35rem 0 0 var(--now); }\n",
    "tbody tr.ahead { color: #6a6a6a; }\n",
    "#steps .formula, #steps .note { white-space: nowrap; }\n",
    ".figure.forward g.edge text { visibility: hidden; }\n",
    "#steps a { color: inherit; display: inline-block; min-width: 1.6rem; }\n",
    ".help { color: var(--soft); font-size: .9rem; margin: 1rem 0 0; }\n",
    "kbd { font: inherit; border: 1px solid var(--line); border-radius: .2rem; padding: 0 .3rem; }\n",
    "g.edge.ahead path, g.edge.ahead polygon { stroke: #888; stroke-width: .9; }\n",
    "g.edge.ahead polygon { fill: #888; }\n",
    "g.edge.done path, g.edge.done polygon { stroke: #000; stroke-width: 2.2; }\n",
    "g.edge.done polygon { fill: #000; }\n",
    "g.edge.now path { stroke: var(--now); stroke-width: 4.5; stroke-dasharray: 10 5; }\n",
    "g.edge.now polygon { stroke: var(--now); fill: var(--now); stroke-width: 3; }\n",
    "g.edge.now polygon.stub { stroke-width: 4.5; }\n",
    "g.edge.done text, g.edge.now text { fill: #000; }\n",
    "g.edge.now text { font-weight: 700; }\n",
    "g.edge.idle path { stroke: #999; stroke-width: .9; stroke-dasharray: 1 4; }\n",
    "g.node.none > * { stroke-width: .8; }\n",
    "g.node.partial > * { stroke-width: 2.5; stroke-dasharray: 6 4; }\n",
    "g.node.complete > * { stroke-width: 2.5; stroke-dasharray: none; }\n",
    "g.node > text { stroke-width: 0; }\n",
    "g.node.from > polygon, g.node.from > path, g.node.from > ellipse,\n",
    "g.node.to > polygon, g.node.to > path, g.node.to > ellipse { stroke: var(--now); stroke-width: 3.5; }\n",
    "@media (prefers-reduced-motion: no-preference) {\n",
    "  g.edge.now path { animation: flow .9s linear 1; }\n",
    "  g.edge.now.forth path { animation-direction: reverse; }\n",
    "  @keyframes flow { from { stroke-dashoffset: -45; } to { stroke-dashoffset: 0; } }\n",
    "}\n",
    "@media print {\n",
    "  main { padding: 0; max-width: none; }\n",
    "  .bar, .help { display: none; }\n",
    "  .top { position: static; }\n",
    "  section { margin-bottom: 1rem; }\n",
    "  #steps .formula, #steps .note { white-space: normal; }\n",
    "  tbody tr.ahead { color: inherit; }\n",
    "  .list { max-height: none; overflow: visible; }\n",
    "  .columns { display: block; }\n",
    "  thead th { position: static; }\n",
    "  .figure svg { min-width: 0; max-height: none; }\n",
    "  .figure, tr { break-inside: avoid; }\n",
    "  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }\n",
    "}\n",
};

static const char *const page_script[] = {
    "(function () {\n",
    "  'use strict';\n",
    "  function id(name) { return document.getElementById(name); }\n",
    "  function all(selector) { return Array.prototype.slice.call(document.querySelectorAll(selector)); }\n",
    "  var rows = all('#steps tbody tr'), last = rows.length, values = 0, at = 0, timer = 0;\n",
    "  var more = id('steps').getAttribute('data-more');\n",
    "  var nodes = {}, edges = {}, numbers = {};\n",
    "  all('.figure g.node').forEach(function (g) {\n",
    "    var texts = g.querySelectorAll('text');\n",
    "    var box = g.querySelector('path, polygon, ellipse').getBBox();\n",
    "    nodes[g.id] = { g: g, value: texts[0], known: texts[0].textContent, grad: texts[1] };\n",
    "    texts.forEach(function (text) {\n",
    "      text.setAttribute('x', box.x + box.width / 2);\n",
    "      text.setAttribute('text-anchor', 'middle');\n",
    "    });\n",
    "    g.querySelector('title').textContent = texts[0].textContent;\n",
    "  });\n",
    "  all('.figure g.edge').forEach(function (g) {\n",
    "    var arrows = Array.prototype.map.call(g.querySelectorAll('polygon'), function (head) {\n",
    "      var p = head.getAttribute('points').split(' ').map(function (xy) { return "
    "xy.split(',').map(Number); });\n",
    "      var stub = p.length < 3 ? p : [[(p[0][0] + p[2][0]) / 2, (p[0][1] + p[2][1]) / 2], p[1]];\n",
    "      return { g: head, head: p.join(' '), stub: stub.join(' ') };\n",
    "    });\n",
    "    edges[g.id] = { g: g, arrows: arrows, idle: true };\n",
    "    g.querySelector('title').textContent = '';\n",
    "  });\n",
    "  all('#numbers tbody tr').forEach(function (row) { numbers[row.getAttribute('data-of')] = row; });\n",
    "  rows.forEach(function (row) {\n",
    "    row.edges = (row.getAttribute('data-edges') || '').split(' ').filter(Boolean);\n",
    "    row.values = row.getAttribute('data-kind') === 'value';\n",
    "    if (row.values) values++;\n",
    "    else row.edges.forEach(function (e) { edges[e].idle = false; });\n",
    "  });\n",
    "\n",
    "  function look(g, kind, state) { g.setAttribute('class', kind + ' ' + state); }\n",
    "  function cell(of, name, text) {\n",
    "    var row = numbers[of];\n",
    "    if (row) row.querySelector('.' + name).textContent = text;\n",
    "  }\n",
    "  /* Of two arrows the first points at the operand, the second at the result. The one that is not "
    "meant\n",
    "     becomes a line that goes on to the node. */\n",
    "  function point(arrow, head) {\n",
    "    arrow.g.setAttribute('points', head ? arrow.head : arrow.stub);\n",
    "    arrow.g.setAttribute('class', head ? 'head' : 'stub');\n",
    "  }\n",
    "  function edge(name, state, back) {\n",
    "    var e = edges[name];\n",
    "    look(e.g, 'edge', state + (back ? ' back' : ' forth'));\n",
    "    if (e.arrows.length < 2) return;\n",
    "    point(e.arrows[0], back);\n",
    "    point(e.arrows[1], !back);\n",
    "  }\n",
    "  function adjoint(of, state, sum, arrived) {\n",
    "    var n = nodes[of];\n",
    "    look(n.g, 'node', state);\n",
    "    if (n.grad) n.grad.textContent = sum === '' ? '' : 'grad ' + sum + (state === 'partial' ? more : "
    "'');\n",
    "    if (numbers[of]) numbers[of].className = state;\n",
    "    cell(of, 'adjoint', sum);\n",
    "    cell(of, 'state', arrived);\n",
    "  }\n",
    "  function value(of, known) {\n",
    "    var n = nodes[of], row = numbers[of];\n",
    "    n.value.textContent = known || !row ? n.known : row.getAttribute('data-unknown');\n",
    "    if (row) row.querySelector('.value').textContent = known ? row.getAttribute('data-value') : '?';\n",
    "  }\n",
    "  function start() {\n",
    "    Object.keys(edges).forEach(function (e) { edge(e, edges[e].idle ? 'idle' : 'ahead', false); });\n",
    "    Object.keys(nodes).forEach(function (n) { adjoint(n, 'none', '', ''); value(n, true); });\n",
    "    rows.forEach(function (row) { if (row.values) value(row.getAttribute('data-to'), false); });\n",
    "  }\n",
    "  function take(row, now) {\n",
    "    var to = row.getAttribute('data-to');\n",
    "    if (row.values) {\n",
    "      value(to, true);\n",
    "      if (now) row.edges.forEach(function (e) { edge(e, 'now', false); });\n",
    "    } else {\n",
    "      adjoint(to, row.getAttribute('data-state'), row.getAttribute('data-sum'), "
    "row.getAttribute('data-arrived'));\n",
    "      row.edges.forEach(function (e) { edge(e, now ? 'now' : 'done', true); });\n",
    "    }\n",
    "    if (!now) return;\n",
    "    var from = nodes[row.getAttribute('data-from')];\n",
    "    nodes[to].g.classList.add('to');\n",
    "    if (from) from.g.classList.add('from');\n",
    "    if (numbers[to]) numbers[to].classList.add('now');\n",
    "  }\n",
    "  function tell() {\n",
    "    var row = at > 0 ? rows[at - 1] : null;\n",
    "    id('formula').textContent = row ? row.querySelector('.formula').textContent : "
    "id('now').getAttribute('data-start');\n",
    "    id('note').textContent = row ? row.querySelector('.note').textContent : '';\n",
    "    id('count').textContent = 'Step ' + at + ' of ' + last;\n",
    "    id('slider').value = at;\n",
    "    id('first').disabled = id('back').disabled = at === 0;\n",
    "    id('next').disabled = id('last').disabled = at === last;\n",
    "    rows.forEach(function (r, i) {\n",
    "      r.className = i + 1 === at ? 'now' : i < at ? 'done' : 'ahead';\n",
    "      if (i + 1 === at) r.setAttribute('aria-current', 'step'); else "
    "r.removeAttribute('aria-current');\n",
    "    });\n",
    "    reveal(row);\n",
    "    reveal(row && numbers[row.getAttribute('data-to')]);\n",
    "  }\n",
    "  /* Scrolls the list, not the page. */\n",
    "  function reveal(row) {\n",
    "    if (!row) return;\n",
    "    var list = row.closest('.list'), head = list.querySelector('thead').offsetHeight;\n",
    "    if (row.offsetTop - head < list.scrollTop) list.scrollTop = row.offsetTop - head;\n",
    "    var below = row.offsetTop + row.offsetHeight - list.clientHeight;\n",
    "    if (below > list.scrollTop) list.scrollTop = below;\n",
    "  }\n",
    "  function go(to) {\n",
    "    at = Math.max(0, Math.min(last, to));\n",
    "    start();\n",
    "    document.querySelector('.figure').classList.toggle('forward', at <= values && values > 0);\n",
    "    for (var i = 0; i < at; i++) take(rows[i], i + 1 === at);\n",
    "    tell();\n",
    "    try { history.replaceState(null, '', '#step=' + at); } catch (e) { /* some places forbid it */ }\n",
    "    if (at === last) play(false);\n",
    "  }\n",
    "  function play(on) {\n",
    "    clearInterval(timer);\n",
    "    timer = on ? setInterval(function () { go(at + 1); }, 1500) : 0;\n",
    "    id('play').textContent = on ? 'Pause' : 'Play';\n",
    "  }\n",
    "  function toggle() {\n",
    "    if (!timer && at === last) go(0);\n",
    "    play(!timer);\n",
    "  }\n",
    "  function move(to) { play(false); go(to); }\n",
    "  function address() {\n",
    "    var match = /^#step=(\\d+)$/.exec(location.hash);\n",
    "    return match ? Number(match[1]) : 0;\n",
    "  }\n",
    "  id('first').onclick = function () { move(0); };\n",
    "  id('back').onclick = function () { move(at - 1); };\n",
    "  id('play').onclick = toggle;\n",
    "  id('next').onclick = function () { move(at + 1); };\n",
    "  id('last').onclick = function () { move(last); };\n",
    "  id('slider').oninput = function () { move(Number(this.value)); };\n",
    "  window.addEventListener('hashchange', function () { if (address() !== at) move(address()); });\n",
    "  document.addEventListener('keydown', function (event) {\n",
    "    var tag = event.target.tagName, keys = {\n",
    "      ArrowRight: function () { move(at + 1); }, ArrowLeft: function () { move(at - 1); },\n",
    "      Home: function () { move(0); }, End: function () { move(last); }, ' ': toggle\n",
    "    };\n",
    "    if (event.altKey || event.ctrlKey || event.metaKey || tag === 'INPUT' || "
    "!keys.hasOwnProperty(event.key)) return;\n",
    "    if (event.key === ' ' && (tag === 'BUTTON' || tag === 'A')) return;\n",
    "    event.preventDefault();\n",
    "    keys[event.key]();\n",
    "  });\n",
    "  document.querySelector('.bar').hidden = false;\n",
    "  go(address());\n",
    "}());\n",
};

static void put(gri_steps_out *out, const char *text) { gri_text_put(&out->text, text); }

static void put_unsigned(gri_steps_out *out, uint32_t n) { gri_text_unsigned(&out->text, n); }

static void put_lines(gri_steps_out *out, const char *const *lines, size_t n)
{
    for (size_t i = 0; i < n; i++) put(out, lines[i]);
}

/* ---- The SVG ---- */

/* Where its element begins, behind what stands before it in a file of its own; NULL if there is none. */
static const char *svg_element(const char *svg)
{
    const char *begin = svg ? strstr(svg, "<svg") : NULL;
    return begin && strstr(begin, "</svg>") ? begin : NULL;
}

/* Marks what the ids of an SVG name: numbers first, then edges. */
static void mark_ids(const gri_steps *s, const char *svg, uint8_t *marks)
{
    static const char start[] = " id=\"gr_";
    for (const char *at = svg; (at = strstr(at, start));) {
        at += sizeof start - 1;
        const bool node = *at == 'n', edge = *at == 'e';
        const uint32_t most = node ? s->n_numbers : edge ? s->n_edges : 0;
        uint64_t i = 0;
        const char *digit = at + 1;
        for (; *digit >= '0' && *digit <= '9' && i < most; digit++) i = 10 * i + (uint64_t)(*digit - '0');
        if (digit > at + 1 && *digit == '"' && i < most) marks[node ? i : s->n_numbers + i] = 1;
    }
}

static gr_status check_ids(gr_graph *g, const char *what, const gri_steps *s, const char *svg)
{
    const size_t n = (size_t)s->n_numbers + s->n_edges;
    uint8_t *marks = gri_alloc_zeroed(&g->memory, n);
    if (!marks) return gri_fail_memory(g, what, n);
    mark_ids(s, svg, marks);
    const uint8_t *lost = memchr(marks, 0, n);
    const size_t i = lost ? (size_t)(lost - marks) : n;
    gri_free(&g->memory, marks, n);
    if (i == n) return GR_OK;
    const bool node = i < s->n_numbers;
    return gri_fail(
        g, GR_ERR_FORMAT,
        "%s: the SVG has no element gr_%c%zu: it must be made of what gr_steps_write_dot writes for "
        "GR_STEPS_PAGE and these steps",
        what, node ? 'n' : 'e', node ? i : i - s->n_numbers);
}

static gr_status check_svg(gr_graph *g, const char *what, const gri_steps *s, const char *svg)
{
    if (!svg)
        return gri_fail(g, GR_ERR_ARGUMENT,
                        "%s: NULL for the SVG, which dot -Tsvg makes of what gr_steps_write_dot writes for "
                        "GR_STEPS_PAGE",
                        what);
    const char *begin = svg_element(svg);
    if (!begin) return gri_fail(g, GR_ERR_FORMAT, "%s: this is no SVG: there is no element svg", what);
    return check_ids(g, what, s, begin);
}

static void put_svg(gri_steps_out *out, const char *svg)
{
    put(out, "<div class=\"figure\" role=\"img\" aria-label=\"");
    put(out, "The graph of the numbers that lead to ");
    gri_put_number_name(out, out->s->root);
    put(out, "; the tables below say the same\">\n");
    put(out, svg_element(svg)); /* what stands behind it is white space */
    put(out, "</div>\n");
}

/* ---- Tables ---- */

static void put_id(gri_steps_out *out, const char *attribute, const char *prefix, uint32_t i)
{
    put(out, attribute);
    put(out, "=\"");
    put(out, prefix);
    put_unsigned(out, i);
    put(out, "\"");
}

static void put_of(gri_steps_out *out, uint32_t arrived, uint32_t arrivals)
{
    put_unsigned(out, arrived);
    put(out, " of ");
    put_unsigned(out, arrivals);
}

/* A number that gets an adjoint, as it is in the end. */
static void put_number_row(gri_steps_out *out, uint32_t i, double adjoint)
{
    const gri_step_number *n = &gri_steps_numbers(out->s)[i];
    put(out, "<tr class=\"complete\"");
    put_id(out, " data-of", "gr_n", i);
    put(out, " data-value=\"");
    gri_put_value_of(out, n);
    put(out, "\" data-unknown=\"");
    gri_put_number_name(out, i);
    put(out, " = ?\"><th scope=\"row\">");
    gri_put_number_name(out, i);
    put(out, "</th><td class=\"value\">");
    gri_put_value_of(out, n);
    put(out, "</td><td class=\"adjoint\">");
    gri_put_gradient(out, adjoint);
    put(out, "</td><td class=\"state\">");
    put_of(out, n->arrivals, n->arrivals);
    put(out, "</td></tr>\n");
}

/* In the order in which their adjoints become complete. */
static void put_numbers(gri_steps_out *out)
{
    const gri_steps *s = out->s;
    put(out, "<section aria-labelledby=\"numbers-title\"><h2 id=\"numbers-title\">Adjoints so far</h2>\n"
             "<div class=\"list\" tabindex=\"0\" role=\"region\" aria-labelledby=\"numbers-title\">\n"
             "<table id=\"numbers\"><thead><tr><th scope=\"col\">number</th><th scope=\"col\">value</th>"
             "<th scope=\"col\">adjoint</th><th scope=\"col\">arrived</th></tr></thead><tbody>\n");
    for (uint32_t i = 0; i < s->n_steps && !out->text.failed; i++) {
        const gri_step *step = &gri_steps_list(s)[i];
        if (step->kind != GR_STEP_VALUE && step->arrival == gri_steps_numbers(s)[step->to].arrivals)
            put_number_row(out, step->to, step->sum);
    }
    put(out, "</tbody></table></div></section>\n");
}

/* What the script needs to know of a step. */
static void put_step_data(gri_steps_out *out, const gri_step *step)
{
    const gri_steps *s = out->s;
    const gri_step_number *to = &gri_steps_numbers(s)[step->to];
    put_id(out, " data-to", "gr_n", step->to);
    if (step->kind == GR_STEP_VALUE) {
        put(out, " data-kind=\"value\" data-edges=\"");
        for (uint32_t k = 0; k < to->n_edges; k++) {
            put(out, k > 0 ? " gr_e" : "gr_e");
            put_unsigned(out, to->first_edge + k);
        }
        put(out, "\"");
        return;
    }
    if (step->kind == GR_STEP_EDGE) {
        put_id(out, " data-from", "gr_n", gri_steps_edges(s)[step->edge].from);
        put_id(out, " data-edges", "gr_e", step->edge);
    }
    put(out, step->arrival == to->arrivals ? " data-state=\"complete\" data-sum=\""
                                           : " data-state=\"partial\" data-sum=\"");
    gri_put_gradient(out, step->sum);
    put(out, "\" data-arrived=\"");
    put_of(out, step->arrival, to->arrivals);
    put(out, "\"");
}

static void put_note(gri_steps_out *out, const gri_step *step)
{
    const gri_steps *s = out->s;
    const uint32_t arrivals = step->kind == GR_STEP_VALUE ? 0 : gri_steps_numbers(s)[step->to].arrivals;
    if (step->kind == GR_STEP_SEED) put(out, "complete");
    if (step->kind != GR_STEP_EDGE) return;
    if (arrivals > 1) gri_put_step_part(out, step, GRI_PART_ARRIVAL);
    if (step->arrival > 1) put(out, " ");
    gri_put_step_part(out, step, GRI_PART_SUM);
    if (arrivals == 1) put(out, "complete");
}

static void put_step_row(gri_steps_out *out, uint32_t i)
{
    const gri_step *step = &gri_steps_list(out->s)[i];
    put(out, "<tr");
    put_step_data(out, step);
    put(out, "><td><a href=\"#step=");
    put_unsigned(out, i + 1);
    put(out, "\">");
    put_unsigned(out, i + 1);
    put(out, "</a></td><td class=\"formula\">");
    for (int part = GRI_PART_LEFT; part <= GRI_PART_RESULT; part++) {
        if (gri_step_part_columns(out, step, part) == 0) continue;
        if (part > GRI_PART_LEFT) put(out, " ");
        gri_put_step_part(out, step, part);
    }
    put(out, "</td><td class=\"note\">");
    put_note(out, step);
    put(out, "</td></tr>\n");
}

static void put_steps(gri_steps_out *out)
{
    put(out, "<section aria-labelledby=\"steps-title\"><h2 id=\"steps-title\">All steps</h2>\n"
             "<div class=\"list\" tabindex=\"0\" role=\"region\" aria-labelledby=\"steps-title\">\n"
             "<table id=\"steps\" data-more=\"");
    gri_text_symbol(&out->text, " + …", " + ...");
    put(out, "\"><thead><tr><th scope=\"col\">step</th><th scope=\"col\">formula</th><th scope=\"col\">sum "
             "so far</th></tr></thead><tbody>\n");
    for (uint32_t i = 0; i < out->s->n_steps && !out->text.failed; i++) put_step_row(out, i);
    put(out, "</tbody></table></div></section>\n");
}

/* ---- The page ---- */

static void put_title(gri_steps_out *out, const gr_steps_style *style)
{
    if (style && style->title) {
        gri_put_foreign(out, style->title, GRI_STEP_TITLE_CHARACTERS);
        return;
    }
    put(out, "The derivatives of ");
    gri_put_number_name(out, out->s->root);
    put(out, ", step by step");
}

static void put_head(gri_steps_out *out, const gr_steps_style *style)
{
    put(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
             "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>");
    put_title(out, style);
    put(out, "</title>\n<style>\n");
    put_lines(out, page_style, sizeof page_style / sizeof *page_style);
    put(out, "</style>\n</head>\n<body>\n<main>\n<h1>");
    put_title(out, style);
    put(out, "</h1>\n");
}

/* Buttons appear when the script runs. */
static void put_controls(gri_steps_out *out)
{
    put(out,
        "<div class=\"top\">\n<div class=\"bar\" role=\"group\" aria-label=\"Steps\" hidden>\n"
        "<button type=\"button\" id=\"first\">First</button>\n"
        "<button type=\"button\" id=\"back\">Back</button>\n"
        "<button type=\"button\" id=\"play\">Play</button>\n"
        "<button type=\"button\" id=\"next\">Next</button>\n"
        "<button type=\"button\" id=\"last\">Last</button>\n"
        "<input type=\"range\" id=\"slider\" min=\"0\" step=\"1\" value=\"0\" aria-label=\"Step\" max=\"");
    put_unsigned(out, out->s->n_steps);
    put(out, "\">\n<span id=\"count\"></span>\n</div>\n"
             "<div id=\"now\" role=\"status\" aria-live=\"polite\" aria-atomic=\"true\" "
             "data-start=\"Nothing has arrived yet: take the first step.\">"
             "<p id=\"formula\">Each step takes one edge: the adjoint that comes in, times the local "
             "derivative, is added to the adjoint of the operand.</p><p id=\"note\"></p></div>\n</div>\n");
}

static void put_page(gri_steps_out *out, const char *svg, const gr_steps_style *style)
{
    put_head(out, style);
    put_controls(out);
    put_svg(out, svg);
    put(out, "<div class=\"columns\">\n");
    put_numbers(out);
    put_steps(out);
    put(out, "</div>\n<p class=\"help\">Keys: <kbd>&#8592;</kbd> <kbd>&#8594;</kbd> one step, "
             "<kbd>Home</kbd> <kbd>End</kbd> "
             "first and last, <kbd>Space</kbd> play. Thick dashed edge: this step. Thick: done. Thin: to "
             "come. Dotted: no "
             "gradient is asked for. A number with a thick line is complete, with a dashed one it waits for "
             "more.</p>\n"
             "</main>\n<script>\n");
    put_lines(out, page_script, sizeof page_script / sizeof *page_script);
    put(out, "</script>\n</body>\n</html>\n");
}

gr_status gr_steps_write_html(gr_steps steps, const char *svg, gr_writer *write, void *user,
                              const gr_steps_style *style)
{
    static const char what[] = "steps_write_html";
    gri_steps_out out;
    const gri_steps *s = gri_steps_out_begin(&out, steps, what, GRI_TO_HTML, write, user, style);
    gr_graph *g = steps.graph;
    if (!s) return g ? g->status : GR_ERR_HANDLE;
    const gr_status status = check_svg(g, what, s, svg);
    if (status != GR_OK) return status;
    put_page(&out, svg, style);
    return gri_steps_out_end(&out, steps, what);
}
