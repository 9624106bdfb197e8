#include "engine/rows_int.h"

#include <stdlib.h>
#include <string.h>

struct rows {
    size_t row_count, column_count;
    void *owner;
    void (*free_owner)(void *owner);
    const char *command_tag;
    const char *values[]; /* cells row by row, then the names of the columns */
};

struct rows *rh_rows_new(size_t row_count, size_t column_count, void *owner,
                         void (*free_owner)(void *owner), const char ***ret_values)
{
    size_t cells, bytes;

    if (__builtin_mul_overflow(row_count, column_count, &cells) ||
        __builtin_add_overflow(cells, column_count, &cells) ||
        __builtin_mul_overflow(cells, sizeof(const char *), &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct rows), &bytes))
        RH_PANIC("result of %zu rows and %zu columns", row_count, column_count);
    struct rows *rows = calloc(1, bytes);
    if (!rows)
        RH_PANIC("out of memory for %zu rows", row_count);
    rows->row_count = row_count;
    rows->column_count = column_count;
    rows->owner = owner;
    rows->free_owner = free_owner;
    *ret_values = rows->values;
    return rows;
}

void rh_rows_describe(struct rows *rows, const char *command_tag, const char *const *names)
{
    rows->command_tag = command_tag;
    for (size_t i = 0; i < rows->column_count; i++)
        rows->values[rows->row_count * rows->column_count + i] = names[i];
}

size_t rh_rows_columns(const struct rows *rows)
{
    return rows ? rows->column_count : 0;
}

const char *rh_rows_column_name(const struct rows *rows, size_t column)
{
    RH_ASSERT(rows && column < rows->column_count);
    const char *name = rows->values[rows->row_count * rows->column_count + column];
    return name ? name : "";
}

const char *rh_rows_command_tag(const struct rows *rows)
{
    return rows && rows->command_tag ? rows->command_tag : "";
}

size_t rh_rows_count(const struct rows *rows)
{
    return rows ? rows->row_count : 0;
}

const char *rh_rows_value(const struct rows *rows, size_t row, size_t column)
{
    RH_ASSERT(rows && row < rows->row_count && column < rows->column_count);
    return rows->values[row * rows->column_count + column];
}

int64_t rh_rows_int(const struct rows *rows, size_t row, size_t column, int64_t if_null)
{
    const char *value = rh_rows_value(rows, row, column);

    return value ? strtoll(value, NULL, 10) : if_null;
}

bool rh_rows_bool(const struct rows *rows, size_t row, size_t column)
{
    const char *value = rh_rows_value(rows, row, column);

    return value && (strcmp(value, "t") == 0 || strcmp(value, "1") == 0);
}

void rh_rows_free(struct rows *rows)
{
    if (!rows)
        return;
    if (rows->free_owner)
        rows->free_owner(rows->owner);
    free(rows);
}

void rh_rows_freep(struct rows **rows)
{
    rh_rows_free(*rows);
    *rows = NULL;
}
