/*
 * docs/operations.md is made by this program and by nothing else: from the headers of operations (prototypes, and what their
 * comments say), from the registry (formulas), from the rules themselves, which are run on symbols, and from the rows of
 * docs/kinks.md. As a test it makes the document anew and compares; called with the name of a file it writes it there.
 *
 * Invariant: whatever is public in those headers is in the document, and what has no row in the table of operations fails.
 */
#include "test.h"
#include "operations/table.h"
#include "graph/graph.h"

#include <stdlib.h>

enum { TEXT = 1 << 20, LINE = 1024, NAMES = 64, MOST_DEPTH = 12, LONGEST = 160 };

/* ---- Text that grows ---- */

typedef struct text {
    char *at;
    size_t n, room;
} text;

static void put(text *t, const char *s)
{
    const size_t n = strlen(s);
    CHECK(t->n + n < t->room);
    if (t->n + n >= t->room) return;
    memcpy(t->at + t->n, s, n + 1);
    t->n += n;
}

/* As a cell of a table in Markdown: one line, nothing of it markup. */
static void put_cell(text *t, const char *s)
{
    bool space = false;
    for (; *s; s++) {
        if (*s == ' ' || *s == '\n') {
            space = true;
            continue;
        }
        if (space && t->n && !strchr(" \n", t->at[t->n - 1])) put(t, " ");
        space = false;
        if (strchr("|*_", *s)) put(t, "\\");
        put(t, *s == '<' ? "&lt;" : (char[]){*s, 0});
    }
}

static void put_code(text *t, const char *s)
{
    put(t, "`");
    for (; *s; s++) put(t, *s == '|' ? "\\|" : (char[]){*s, 0});
    put(t, "`");
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *to = calloc(1, TEXT);
    CHECK(f != NULL && to != NULL);
    if (f && to) to[fread(to, 1, TEXT - 1, f)] = 0;
    if (f) fclose(f);
    return to;
}

/* ---- Rules on symbols ---- */

/* What a recorded derivative is written in: the operands, the result, the cotangent. */
typedef struct symbols {
    gr_graph *g;
    int n;
    gr_tensor of[MOST_OPERANDS + 2];
    char name[MOST_OPERANDS + 2][NAMES];
} symbols;

static gri_node *node_of(gr_tensor t) { return gri_lookup(t.graph, t.index, t.generation); }

static const char *symbol_of(const symbols *s, const gri_node *node)
{
    for (int i = 0; i < s->n; i++)
        if (node_of(s->of[i]) == node) return s->name[i];
    return NULL;
}

/* How operations are written in formulas; the others as functions. %a and %b: operands; %n: the number. */
static const struct {
    const char *name, *form;
    int binds; /* the looser the smaller */
} forms[] = {
    {"add", "%a + %b", 1},        {"sub", "%a - %b", 1},
    {"add_scalar", "%a + %n", 1}, {"mul", "%a %b", 2},
    {"chain_mul", "%a %b", 2},    {"mul_scaled", "%n %a %b", 2},
    {"scale", "%n %a", 2},        {"div", "%a / %b", 2},
    {"chain_div", "%a / %b", 2},  {"neg", "-%a", 2},
    {"square", "%a^2", 3},        {"pow", "%a^%b", 3},
    {"pow_scalar", "%a^%n", 3},   {"matmul", "%a @ %b", 2},
    {"less", "%a < %b", 0},       {"greater", "%a > %b", 0},
    {"equal", "%a == %b", 0},     {"less_equal", "%a <= %b", 0},
    {"not_equal", "%a != %b", 0}, {"greater_equal", "%a >= %b", 0},
};
enum { FORMS = sizeof forms / sizeof *forms, ATOM = 9 };

static int form_of(const gr_op *op)
{
    for (int i = 0; i < FORMS; i++)
        if (!strcmp(forms[i].name, op->name)) return i;
    return -1;
}

static void put_number(text *t, double v)
{
    char number[32];
    snprintf(number, sizeof number, "%g", v);
    put(t, number);
}

static void put_node(text *t, const symbols *s, const gri_node *node, int binds, int depth);

static const gri_node *operand_of(const symbols *s, const gri_node *node, int i)
{
    const gri_operand *o = &gri_operands(node)[i];
    return gri_lookup(s->g, o->index, o->generation);
}

static void put_form(text *t, const symbols *s, const gri_node *node, int form, int outer, int depth)
{
    const int binds = forms[form].binds;
    if (binds < outer) put(t, "(");
    for (const char *p = forms[form].form; *p; p++) {
        if (*p != '%') {
            put(t, (char[]){*p, 0});
            continue;
        }
        p++;
        if (*p == 'n')
            put_number(t, *(const double *)gri_attributes(node));
        else /* the second operand of a - b and a / b binds closer */
            put_node(t, s, operand_of(s, node, *p == 'b'), binds + (*p == 'b' || binds == 3), depth + 1);
    }
    if (binds < outer) put(t, ")");
}

/* What a rule that contributes nothing gives. */
static bool is_zero(gr_graph *g, const gri_node *node)
{
    const gr_tensor t = {g, node->index, node->generation};
    return gr_item(gr_sum(gr_square(t), GR_ALL_AXES, false)) == 0;
}

static void put_node(text *t, const symbols *s, const gri_node *node, int binds, int depth)
{
    const char *symbol = node ? symbol_of(s, node) : "?";
    if (symbol || depth > MOST_DEPTH) {
        put(t, symbol ? symbol : "...");
    } else if (!node->op || node->n_operands == 0) {
        const bool real = node->array.type == GR_F64;
        if (real && (node->array.count == 1 || (!node->op && is_zero(s->g, node))))
            put_number(t, *(const double *)node->array.data);
        else {
            put(t, node->op ? node->op->name : "constant");
            if (node->op) put(t, "(...)");
        }
    } else if (form_of(node->op) >= 0) {
        put_form(t, s, node, form_of(node->op), binds, depth);
    } else {
        put(t, node->op->name);
        put(t, "(");
        for (uint32_t i = 0; i < node->n_operands; i++) {
            if (i) put(t, ", ");
            put_node(t, s, operand_of(s, node, (int)i), 0, depth + 1);
        }
        put(t, ")");
    }
}

/* A case whose operands have a few elements each. */
static const test_case *small_case(const row *r)
{
    const test_case *found = r->cases;
    for (const test_case *c = r->cases; !IS_END(c); c++) {
        bool fits = true;
        for (int k = 0; r->operands[k]; k++) {
            const int64_t n = count_of(c->shape[k]);
            fits &= n >= 2 && n <= 24 && (k == 0 || n == count_of(c->shape[0]) || r->operands[k] != 'f');
        }
        if (fits) return c;
        if (count_of(c->shape[0]) > 1 && count_of(c->shape[0]) <= 24) found = c;
    }
    return found;
}

/* Operand k of a row. */
static gr_tensor make_operand(gr_graph *g, const row *r, const array *x, const test_case *c, int k)
{
    if (r->operands[k] == 'm') return gr_cast(gr_constant(g, GR_F64, x[k].shape, x[k].v), GR_BOOL);
    if (r->operands[k] == 'i') return gr_cast(gr_full(g, GR_F64, x[k].shape, (double)c->low), GR_I32);
    return gr_set_requires_grad(gr_constant(g, GR_F64, x[k].shape, x[k].v), true);
}

/* Distinct values in the domain of the row, no two in order, and as it arranges them. */
static void make_values(const row *r, const test_case *c, array x[MOST_OPERANDS])
{
    const double low = r->low < r->high ? r->low : 0.5, high = r->low < r->high ? r->high : 2;
    int n = 0;
    for (; r->operands[n]; n++) x[n].shape = c->shape[n];
    if (r->reshape_operands) r->reshape_operands(c, x);
    for (int k = 0; k < n; k++) {
        const int64_t count = count_of(x[k].shape);
        for (int64_t e = 0; e < count; e++)
            x[k].v[e] = r->operands[k] == 'm'
                            ? (double)(e % 2)
                            : low + (high - low) * ((double)((e * 7 + 3) % (count + 1)) + 0.3) /
                                        ((double)count + 2);
    }
    if (r->arrange) r->arrange(c, n, x);
}

/* The name of tensor k of a prototype; of a list of tensors a, b, ... */
static const char *operand_name(const char *prototype, int k, char *to)
{
    const char *at = strchr(prototype, '(');
    snprintf(to, NAMES, "%c", 'a' + k);
    if (strstr(at, "gr_tensor *")) return to;
    for (at = strstr(at, "gr_tensor "); at && k > 0; k--) at = strstr(at + 1, "gr_tensor ");
    if (at) snprintf(to, NAMES, "%.*s", (int)strcspn(at + 10, ",)"), at + 10);
    return to;
}

static gr_tensor use(gr_graph *g, const row *r, const test_case *c, const gr_tensor *x)
{
    return r->unary ? r->unary(x[0]) : r->binary ? r->binary(x[0], x[1]) : r->build(g, x, c, GR_F64);
}

/* The distinct primitives that the composition recorded between two heights of the stack. */
static void put_parts(text *t, const gr_graph *g, uint32_t from)
{
    const char *seen[NAMES];
    int n = 0;
    for (uint32_t i = from; i < g->step.top; i++) {
        const gri_node *node = g->step.slot[i].node;
        bool known = !node || !node->op || node->op->arity == 0;
        for (int k = 0; k < n && !known; k++) known = !strcmp(seen[k], node->op->name);
        if (known || n == NAMES) continue;
        put(t, n ? ", " : "that of its parts: ");
        put_code(t, node->op->name);
        seen[n++] = node->op->name;
    }
}

/* By each operand, as the rule has it. */
static void put_rules(text *t, symbols *s, const row *r, gr_tensor y)
{
    char formula[LINE];
    const int n = s->n;
    const gr_tensor gy = gr_set_requires_grad(gr_constant(s->g, GR_F64, gr_shape_of(y), NULL), true);
    s->of[s->n] = y, strcpy(s->name[s->n++], "y");
    s->of[s->n] = gy, strcpy(s->name[s->n++], "gy");
    for (int k = 0, rules = 0; k < n; k++) {
        if (r->operands[k] != 'f') continue;
        text f = {formula, 0, sizeof formula};
        gr_tensor by = GR_NONE;
        gr_grad(1, &y, 1, &s->of[k], &gy, &(gr_grad_options){.record = true}, &by);
        CHECK(gr_graph_status(s->g) == GR_OK);
        put_node(&f, s, node_of(by), 0, 0);
        if (rules++) put(t, "<br>");
        if (n > 1) put(t, "by "), put(t, s->name[k]), put(t, ": ");
        put_code(t, f.n <= LONGEST ? formula : "a longer formula: see its rule");
    }
}

/* How it is differentiated. */
static void put_derivative(text *t, const row *r, const char *prototype)
{
    gr_graph *g = gr_graph_create(NULL);
    symbols s = {.g = g};
    const gr_scope scope = gr_scope_begin(g);
    const test_case *c = small_case(r);
    if (r->not_differentiable) {
        put(t, "none: ");
        put(t, r->not_differentiable);
    } else {
        static array x[MOST_OPERANDS];
        make_values(r, c, x);
        for (; r->operands[s.n]; s.n++) {
            s.of[s.n] = make_operand(g, r, x, c, s.n);
            operand_name(prototype, s.n, s.name[s.n]);
        }
        const uint32_t from = g->step.top;
        const gr_tensor y = use(g, r, c, s.of);
        if (r->composed)
            put_parts(t, g, from);
        else
            put_rules(t, &s, r, y);
    }
    if (gr_graph_status(g) != GR_OK) printf("%s: %s\n", r->name, gr_graph_error(g));
    CHECK(gr_graph_status(g) == GR_OK);
    gr_scope_end(scope, 0, NULL);
    gr_graph_destroy(g);
}

/* ---- The rows of docs/kinks.md ---- */

/* Whether the arguments of a row are operands and numbers, none of them twice: not a composition. */
static bool is_plain(const char *arguments, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char c = arguments[i];
        const bool letter = c >= 'a' && c <= 'z';
        if (!letter && !strchr("0123456789., -", c)) return false;
        for (size_t k = i + 1; k < n && letter; k++)
            if (arguments[k] == c) return false;
    }
    return true;
}

/* "at 0: value, slope" of one row of the function itself; arguments that are numbers are said. */
static void put_kink(text *t, const char *arguments, size_t n, const char *cells)
{
    char row_text[LINE];
    snprintf(row_text, sizeof row_text, "%.*s", (int)strcspn(cells, "\n"), cells);
    const char *at = strtok(row_text, "|"), *value = strtok(NULL, "|"), *first = strtok(NULL, "|");
    if (!first) return;
    if (n && memchr(arguments, ',', n) && strcspn(arguments, "0123456789") < n) {
        put(t, "with (");
        for (size_t i = 0; i < n; i++) put(t, (char[]){arguments[i], 0});
        put(t, ") ");
    }
    put(t, "at");
    put_cell(t, at);
    put(t, ":");
    put_cell(t, value);
    put(t, ", slope");
    put_cell(t, first);
}

static void put_kinks(text *t, const char *kinks, const char *name)
{
    char head[NAMES + 8];
    int n = 0;
    snprintf(head, sizeof head, "| `%s(", name);
    if (!strcmp(name, "div")) snprintf(head, sizeof head, "| `a / b`");
    for (const char *line = kinks; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, head, strlen(head)) != 0) continue;
        const char *arguments = line + strlen(head), *cells = strstr(line, "` |");
        if (!cells) continue;
        const size_t length = cells > arguments ? (size_t)(cells - arguments) - 1 : 0;
        if (!is_plain(arguments, length)) continue;
        if (n++) put(t, "<br>");
        put_kink(t, arguments, length, cells + 3);
    }
}

/* ---- Headers ---- */

static const row *row_named(const char *name, size_t length)
{
    for (const row *const *family = families; *family; family++)
        for (const row *r = *family; r->name; r++)
            if (strlen(r->name) == length && !memcmp(r->name, name, length)) return r;
    return NULL;
}

/* Its own row, or, for the form with options, that of the form without. */
static const row *row_of(const char *name)
{
    static const char suffix[] = "_with";
    const size_t length = strlen(name), tail = strlen(suffix);
    const row *found = row_named(name, length);
    const bool options = length > tail && !strcmp(name + length - tail, suffix);
    return found || !options ? found : row_named(name, length - tail);
}

/* Takes the text of a comment out of it: the marks go, and the stars of its lines. */
static void comment_text(const char *from, const char *to, char *out, size_t room)
{
    size_t n = 0;
    bool begin = false;
    for (const char *p = from + 2; p < to && n + 1 < room; p++) {
        if (begin && (*p == ' ' || *p == '*')) continue;
        begin = *p == '\n';
        out[n++] = *p == '\n' ? ' ' : *p;
    }
    out[n] = 0;
}

/* What is read of a header. */
typedef struct reader {
    text *t;
    char *kinks;
    char common[8 * LINE]; /* the comment that heads a group of prototypes */
    char first[NAMES];     /* the first of that group */
    bool table;            /* a table has been begun in this section */
    int n;
} reader;

static void put_row(reader *r, const char *prototype, const char *own)
{
    char name[NAMES];
    const char *end = strchr(prototype, '('), *at = end;
    while (at > prototype && at[-1] != ' ' && at[-1] != '*') at--;
    snprintf(name, sizeof name, "%.*s", (int)(end - at) - 3, at + 3); /* without gr_ */
    const row *of = row_of(name);
    if (!of) printf("  gr_%s has no row in the table of operations\n", name);
    CHECK(of != NULL);
    if (!r->table)
        put(r->t, "| operation | what it computes | derivative | kinks and edges |\n|---|---|---|---|\n");
    r->table = true;
    put(r->t, "| ");
    put_code(r->t, prototype);
    put(r->t, " | ");
    if (r->common[0] && !r->first[0]) put_cell(r->t, r->common), put(r->t, " ");
    if (!r->common[0] || own[0] || !r->first[0])
        put_cell(r->t, own);
    else
        put(r->t, "as "), put_code(r->t, r->first);
    put(r->t, " | ");
    if (of) put_derivative(r->t, of, prototype);
    put(r->t, " | ");
    put_kinks(r->t, r->kinks, name);
    put(r->t, " |\n");
    if (!r->first[0]) snprintf(r->first, sizeof r->first, "%s", name);
    r->n++;
}

static bool starts(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

/* A comment that stands alone is what all of the section have in common. */
static void flush_common(reader *r)
{
    if (r->common[0] && !r->first[0]) {
        put(r->t, r->table ? "\n" : "");
        put_cell(r->t, r->common);
        put(r->t, "\n\n");
        r->table = false;
    }
    r->common[0] = r->first[0] = 0;
}

static const char *read_section(reader *r, const char *p)
{
    char title[LINE];
    flush_common(r);
    const char *end = strstr(p, " ---- */");
    snprintf(title, sizeof title, "%.*s", end ? (int)(end - p - 8) : 0, p + 8);
    put(r->t, "\n## ");
    put(r->t, title);
    put(r->t, "\n\n");
    r->table = false;
    return strchr(p, '\n');
}

/* A prototype, and the comment behind it. */
static const char *read_prototype(reader *r, const char *p)
{
    char prototype[LINE], own[4 * LINE] = "";
    size_t n = 0;
    const char *end = strchr(p, ';');
    for (const char *q = p + strlen("GR_API "); q < end && n + 1 < sizeof prototype; q++) {
        if (*q == '\n') continue;
        if (*q == ' ' && n && prototype[n - 1] == ' ') continue;
        prototype[n++] = *q;
    }
    prototype[n] = 0;
    const char *line = end + strcspn(end, "\n"), *comment = strstr(end, "/*");
    if (comment && comment < line) {
        const char *close = strstr(comment, "*/");
        comment_text(comment, close, own, sizeof own);
        line = close + strcspn(close, "\n");
    }
    put_row(r, prototype, own);
    return line;
}

static void read_header(reader *r, const char *source)
{
    const char *p = strstr(source, "GR_BEGIN_DECLS");
    CHECK(p != NULL);
    for (p = p ? strchr(p, '\n') : NULL; p && !starts(p, "\nGR_END_DECLS");) {
        p++;
        if (*p == '\n' || !*p) {
            flush_common(r);
            if (!*p) return;
        } else if (starts(p, "/* ---- ")) {
            p = read_section(r, p);
        } else if (starts(p, "/*")) {
            const char *end = strstr(p, "*/");
            r->first[0] = 0;
            comment_text(p, end, r->common, sizeof r->common);
            p = end + strcspn(end, "\n");
        } else if (starts(p, "GR_API ")) {
            p = read_prototype(r, p);
        } else {
            p = p + strcspn(p, "\n"); /* a type, a macro: the header is their manual */
        }
    }
    flush_common(r);
}

static void read_topic(reader *r, const char *name, int length)
{
    char path[LINE];
    snprintf(path, sizeof path, INCLUDE_DIRECTORY "/gradus/%.*s", length, name);
    char *source = read_file(path);
    read_header(r, source);
    free(source);
}

/* The headers that ops.h includes, and that of losses. */
static void read_headers(reader *r)
{
    static const char include[] = "#include \"gradus/";
    char *list = read_file(INCLUDE_DIRECTORY "/gradus/ops.h");
    for (const char *p = list; (p = strstr(p, include)) != NULL; p++) {
        const char *name = p + strlen(include);
        read_topic(r, name, (int)strcspn(name, "\""));
    }
    read_topic(r, "loss.h", (int)strlen("loss.h"));
    free(list);
}

static char *make_document(void)
{
    text t = {calloc(1, TEXT), 0, TEXT};
    reader r = {.t = &t, .kinks = read_file(DOCUMENT_DIRECTORY "/kinks.md")};
    put(&t, "# Operations\n\n"
            "Every operation: what it computes, how it is differentiated, what it does at kinks. This page "
            "is made by\n"
            "`tests/test_operations_document.c` from the headers, the registry, the derivative rules and "
            "[kinks.md](kinks.md); a page that is out of\ndate fails the tests, and "
            "`build/release/tests/test_operations_document "
            "docs/operations.md` makes it anew.\n\n"
            "A derivative is the contribution of `gy`, the cotangent of the result `y`, to that of an "
            "operand: the rule of the "
            "primitive, run on symbols\n(a product in it is 0 where a factor is, see kinks.md). An operation "
            "that is composed has "
            "those of its parts. A number\nsuch as 2 may stand for an argument of the call. What all "
            "operations have in\ncommon stands in "
            "[ops.h](../include/gradus/ops.h).\n");
    read_headers(&r);
    CHECK(r.n > 0);
    free(r.kinks);
    return t.at;
}

static const char *target;

static void test_document(void)
{
    char *made = make_document();
    if (target) {
        FILE *f = fopen(target, "wb");
        CHECK(f && fputs(made, f) >= 0);
        if (f) CHECK(fclose(f) == 0);
    } else {
        char *kept = read_file(DOCUMENT_DIRECTORY "/operations.md");
        size_t at = 0;
        while (made[at] && made[at] == kept[at]) at++;
        CHECK(!made[at] && !kept[at]);
        if (made[at] || kept[at]) printf("  docs/operations.md is out of date from \"%.60s\"\n", &made[at]);
        free(kept);
    }
    free(made);
}

int main(int argc, char **argv)
{
    if (argc > 1) target = argv[1];
    RUN(test_document);
    return TEST_EXIT;
}
