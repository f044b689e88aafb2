/* Names and symbols of the graph of single numbers, as plain text, in labels of drawings, and for LaTeX. */
#include "draw/scalars.h"

#include <string.h>

enum { NAME_CHARACTERS = 48, SYMBOL_DIGITS = 6 };

/* ---- LaTeX ---- */

/* Letters of other alphabets that mathematics knows by name. */
static const char *const greek[] = {"alpha", "beta",  "gamma",   "delta",  "epsilon", "zeta",   "eta",
                                    "theta", "iota",  "kappa",   "lambda", "mu",      "nu",     "xi",
                                    "pi",    "rho",   "sigma",   "tau",    "upsilon", "phi",    "chi",
                                    "psi",   "omega", "Gamma",   "Delta",  "Theta",   "Lambda", "Xi",
                                    "Pi",    "Sigma", "Upsilon", "Phi",    "Psi",     "Omega"};

/* By their characters, in the order of the above. */
static const uint16_t greek_character[] = {0x3B1, 0x3B2, 0x3B3, 0x3B4, 0x3B5, 0x3B6, 0x3B7, 0x3B8, 0x3B9,
                                           0x3BA, 0x3BB, 0x3BC, 0x3BD, 0x3BE, 0x3C0, 0x3C1, 0x3C3, 0x3C4,
                                           0x3C5, 0x3C6, 0x3C7, 0x3C8, 0x3C9, 0x393, 0x394, 0x398, 0x39B,
                                           0x39E, 0x3A0, 0x3A3, 0x3A5, 0x3A6, 0x3A8, 0x3A9};
enum { N_GREEK = sizeof greek / sizeof *greek };

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void put_part(gri_text *t, const char *text, size_t length)
{
    char piece[2] = {0};
    for (size_t i = 0; i < length; i++) {
        piece[0] = text[i];
        gri_text_put(t, piece);
    }
}

/* A run of letters: one letter or a Greek name as a symbol, more upright. */
static void put_letters(gri_text *t, const char *text, size_t length)
{
    for (size_t k = 0; k < N_GREEK; k++)
        if (strlen(greek[k]) == length && strncmp(greek[k], text, length) == 0) {
            gri_text_put(t, "\\");
            gri_text_put(t, greek[k]);
            gri_text_put(t, " ");
            return;
        }
    gri_text_put(t, length > 1 ? "\\mathrm{" : "");
    put_part(t, text, length);
    gri_text_put(t, length > 1 ? "}" : "");
}

/* A character that is no ASCII letter or digit; returns its bytes. What no plain LaTeX has becomes its number. */
static size_t put_special(gri_text *t, const char *text)
{
    uint32_t c = 0;
    size_t length = gri_text_decode(text, &c);
    if (length == 0) {
        c = (unsigned char)*text;
        length = 1;
    }
    for (size_t k = 0; k < N_GREEK; k++)
        if (greek_character[k] == c) {
            gri_text_put(t, "\\");
            gri_text_put(t, greek[k]);
            gri_text_put(t, " ");
            return length;
        }
    if (c == '\\') {
        gri_text_put(t, "\\backslash ");
    } else if (c == '^') {
        gri_text_put(t, "\\hat{\\ }");
    } else if (c == '~') {
        gri_text_put(t, "\\sim ");
    } else if (c < 0x20 || c == 0x7F) {
        gri_text_put(t, "?");
    } else if (c < 0x80) {
        if (strchr("#$%&{}", (int)c)) gri_text_put(t, "\\");
        put_part(t, text, 1);
    } else {
        gri_text_put(t, "\\mathrm{U{+}");
        char digits[16];
        int n = 0;
        for (uint32_t rest = c; rest > 0 || n < 4; rest /= 16) digits[n++] = "0123456789ABCDEF"[rest % 16];
        while (n-- > 0) put_part(t, &digits[n], 1);
        gri_text_put(t, "}");
    }
    return length;
}

static bool is_mark(char c) { return c == '_' || c == '[' || c == ']'; }

/* One level of a name: letters, then digits as an index, when no index stands there already. */
static const char *put_level(gri_text *t, const char *name, bool indexed)
{
    bool any = false;
    while (*name && !is_mark(*name)) {
        size_t length = 0;
        while (is_letter(name[length])) length++;
        if (length > 0) {
            put_letters(t, name, length);
        } else if (is_digit(*name)) {
            while (is_digit(name[length])) length++;
            const bool last = name[length] == '\0' || name[length] == '_';
            const bool index = any && !indexed && last;
            gri_text_put(t, index ? "_{" : "");
            put_part(t, name, length);
            /* a further index goes into the same: w1_2 is w with 1,2 */
            if (index && name[length] == '_' && name[length + 1]) {
                gri_text_put(t, ",");
                name = put_level(t, name + length + 1, true);
                gri_text_put(t, "}");
                any = true;
                continue;
            }
            gri_text_put(t, index ? "}" : "");
        } else {
            length = put_special(t, name);
        }
        any = true;
        name += length;
    }
    return name;
}

/* net_h1 is net with index h1, W[0,1] is W with 0,1, w1 is w with 1. */
static void put_latex(gri_text *t, const char *name)
{
    bool open = false;
    if (name[strspn(name, "_[]")] == '\0') gri_text_put(t, "\\_"); /* nothing that could stand for it */
    name = put_level(t, name, false);
    while (*name) {
        while (is_mark(*name)) name++;
        if (!*name) break;
        gri_text_put(t, open ? "," : "_{");
        open = true;
        name = put_level(t, name, true);
    }
    gri_text_put(t, open ? "}" : "");
}

/* ---- Names ---- */

/* Characters that turn the direction of what follows them, or break lines. */
static bool turns(uint32_t c)
{
    return c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

/* Without quotes and markup. Control characters, and what is no UTF-8, become question marks. */
static void put_plain(gri_text *t, const char *name)
{
    while (*name) {
        uint32_t c = 0;
        const size_t length = gri_text_decode(name, &c);
        const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0) || turns(c);
        const bool fit = length > 0 && !control && (c < 0x80 || !t->ascii);
        if (fit)
            put_part(t, name, length);
        else
            gri_text_put(t, "?");
        name += length ? length : 1;
    }
}

void gri_put_name(gri_text *t, const char *name, gri_flavour flavour)
{
    if (flavour == GRI_LATEX)
        put_latex(t, name);
    else if (flavour == GRI_LABEL)
        gri_text_escaped(t, name, NAME_CHARACTERS, false);
    else
        put_plain(t, name);
}

static void put_minus(gri_text *t, gri_flavour flavour)
{
    if (flavour == GRI_LATEX)
        gri_text_put(t, "-");
    else
        gri_text_symbol(t, "−", "-");
}

/* `negated`: all signs the other way round. */
static void put_sum(gri_text *t, const gri_scalars *s, const gri_scalar_sum *sum, bool negated,
                    gri_flavour flavour)
{
    const bool minus[2] = {sum->minus[0] != negated, sum->minus[1] != negated};
    const int first = minus[0] && !minus[1]; /* t - o rather than -o + t */
    gri_text_put(t, "(");
    if (minus[first]) put_minus(t, flavour);
    gri_put_scalar(t, s, sum->term[first], flavour);
    gri_text_put(t, " ");
    if (minus[1 - first])
        put_minus(t, flavour);
    else
        gri_text_put(t, "+");
    gri_text_put(t, " ");
    gri_put_scalar(t, s, sum->term[1 - first], flavour);
    gri_text_put(t, ")");
}

void gri_put_scalar(gri_text *t, const gri_scalars *s, uint32_t node, gri_flavour flavour)
{
    if (node >= s->n_nodes) {
        put_sum(t, s, &s->sum[node - s->n_nodes], false, flavour);
        return;
    }
    gri_put_name(t, s->node[node].name, flavour);
}

/* ---- Symbols ---- */

/* A constant without a name is its number. */
static bool is_nameless(const gri_scalars *s, uint32_t node)
{
    return node < s->n_nodes && s->node[node].leaf && !s->node[node].named;
}

bool gri_has_symbol(const gri_scalars *s, const gri_scalar_edge *e)
{
    if (e->kind == GRI_SYMBOL_FORM) return true;
    return e->kind == GRI_SYMBOL_ELEMENT && !is_nameless(s, e->other);
}

static void put_number(gri_text *t, double value, gri_flavour flavour)
{
    char number[GRI_NUMBER_BYTES];
    gri_number(number, value, SYMBOL_DIGITS, false);
    if (flavour == GRI_LATEX)
        gri_text_put(t, number);
    else
        gri_text_number(t, number);
}

/* The text of a form, with the names put in. */
static void put_form(gri_text *t, const gri_scalars *s, const gri_scalar_edge *e, gri_flavour flavour)
{
    const gri_form *form = &gri_forms[e->form];
    const char *text = flavour == GRI_LATEX ? form->latex : t->ascii ? form->ascii : form->utf8;
    for (; *text; text++) {
        if (*text != '%') {
            put_part(t, text, 1);
            continue;
        }
        text++;
        gri_put_scalar(t, s, *text == 'x' ? e->x : *text == 'y' ? e->y : e->other, flavour);
    }
}

void gri_put_symbol(gri_text *t, const gri_scalars *s, const gri_scalar_edge *e, gri_flavour flavour)
{
    if (e->kind == GRI_SYMBOL_FORM) {
        put_form(t, s, e, flavour);
        return;
    }
    if (e->factor == -1 && e->other >= s->n_nodes) {
        put_sum(t, s, &s->sum[e->other - s->n_nodes], true, flavour);
        return;
    }
    if (e->factor == -1) {
        put_minus(t, flavour);
    } else if (e->factor != 1) {
        put_number(t, e->factor, flavour);
        gri_text_put(t, flavour == GRI_LATEX ? "\\," : " ");
    }
    gri_put_scalar(t, s, e->other, flavour);
}
