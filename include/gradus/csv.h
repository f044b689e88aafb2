/*
 * Tables of numbers from text files: CSV and its like.
 *
 *     gr_csv iris;
 *     gr_csv_read_file(g, "iris.csv", &(gr_csv_options){.header = true, .type = GR_F64}, &iris);
 *     gr_tensor x = gr_slice(iris.table, 1, 0, 4, 1);              [150, 4]
 *     ... iris.names[4] is the name of the last column ...
 *
 * The format is RFC 4180 and what people make of it. A line is a row, its fields are numbers. Lines end with
 * LF, CR LF or CR; empty ones are left out, and so is a byte order mark. Blanks around a field do not count. A
 * field in "quotes" may hold separators and ends of lines; a quote in it is doubled. All rows have the same
 * number of fields.
 *
 * Functions refuse to run, and return the stored error, while one is pending (graph.h).
 */
#ifndef GRADUS_CSV_H
#define GRADUS_CSV_H

#include <stdio.h>

#include "gradus/tensor.h"

GR_BEGIN_DECLS

/* What is done with a field that is missing: an empty one, or one that says so. */
typedef enum gr_csv_missing {
    GR_CSV_MISSING_ERROR = 0, /* GR_ERR_FORMAT */
    GR_CSV_MISSING_NAN,       /* NaN stands for it */
    GR_CSV_MISSING_VALUE      /* missing_value stands for it */
} gr_csv_missing;

typedef struct gr_csv_options {
    gr_type type; /* f32 or f64; f32 if nothing is said */
    char
        separator; /* 0: a comma. A blank: any number of blanks and tabs. No letter, digit, quote, point or sign */
    char
        comment; /* lines that begin with it are left out; 0: none. It can begin no number, nor be the separator */
    bool header;  /* the first line has names */
    int64_t skip; /* so many lines are left out before all others */
    gr_csv_missing missing;
    double missing_value;
    const char *missing_text; /* of fields that say that they are missing, such as "NA" or "?"; NULL: none */
} gr_csv_options;

typedef struct gr_csv {
    gr_tensor table; /* [rows, columns], a kept constant */
    const char *const
        *names;      /* of the columns, in memory of the graph, as long as it lives; NULL without a header */
    int64_t columns; /* the number of names */
} gr_csv;

/* Reads a table. options: NULL gives the defaults. On any error *csv is zeroed but for an invalid handle.

   Numbers are written in decimal, as in C, with a point, in whatever locale: -1, .5, 2.50e-3; or they are nan, inf or
   infinity, in letters of either case, with a sign or without. Each becomes the float that is nearest to it, rounded
   once, in f32 as in f64.

   GR_ERR_FORMAT, with line and column: a field that is no number, or beyond the range of the type (infinities must be
   written as such); a field that is missing; a row with another number of fields than the first; quotes without an end,
   or text behind them. GR_ERR_IO. GR_ERR_ARGUMENT: options that cannot be used. */
GR_API gr_status gr_csv_read_file(gr_graph *g, const char *path, const gr_csv_options *options, gr_csv *csv);
/* The same from the rest of a stream, which may be a pipe, and stays open; `name` stands for it in messages. */
GR_API gr_status gr_csv_read(gr_graph *g, FILE *stream, const char *name, const gr_csv_options *options,
                             gr_csv *csv);
/* The same from `n` bytes of memory. */
GR_API gr_status gr_csv_parse(gr_graph *g, const void *bytes, size_t n, const gr_csv_options *options,
                              gr_csv *csv);

GR_END_DECLS

#endif
