/*
 * Tables of plain text: cells are measured in a first pass and written in a second, so nothing is stored.
 *
 * Invariant: what is written in a column is as wide as the widest cell that was measured, as a terminal shows it; a
 * line ends without blanks.
 */
#ifndef GRI_DRAW_TABLE_H
#define GRI_DRAW_TABLE_H

#include "base/text.h"

enum { GRI_CELL_BYTES = 512, GRI_GROUPED_BYTES = 48, GRI_TABLE_COLUMNS = 8 };

typedef struct gri_table {
    gri_text text;
    int columns, first_right; /* columns from this one on are aligned to the right */
    int width[GRI_TABLE_COLUMNS];
    int pending; /* blanks before what comes next in the line */
} gri_table;

/* Begins a table of so many columns; t->text is begun already. */
void gri_table_columns(gri_table *t, int columns, int first_right);
void gri_table_measure(gri_table *t, int column, const char *cell);
/* The cell of the next column, from 0 on. */
void gri_table_put(gri_table *t, int column, const char *cell);
/* Ends the line, behind a text of any width. */
void gri_table_end_line(gri_table *t, const char *notes);
/* A line across all columns. */
void gri_table_rule(gri_table *t);

/* Adds a text of others to a cell: at most so many characters, then "…"; control characters and bytes that are no UTF-8
   as \x1F; with `ascii` every byte beyond ASCII. */
void gri_cell_text(char cell[GRI_CELL_BYTES], const char *text, int most, bool ascii);
/* "1,238,730": a number that is not negative, rounded to an integer. From 10^18 on "1.235e+18". */
void gri_grouped(char *to, double value);
/* The columns that a terminal needs for a text without control characters: none for what is set above the character
   before, two for ideographs and other wide ones. */
int gri_text_columns(const char *text);

#endif
