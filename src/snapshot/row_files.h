/*
 * Files of rows in a directory archive that pg_dump is writing. The rows do not pass pg_dump: it
 * gets one line for a whole table, a ticket, and writes that into the file that it made for the
 * rows. When it has ended, the ticket tells which file is whose, and the rows take its place. So no
 * row is in the archive that did not pass the mask: a file with anything else in it is an error.
 */
#ifndef RH_SNAPSHOT_ROW_FILES_H
#define RH_SNAPSHOT_ROW_FILES_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Where the rows of the table of that number wait meanwhile: in the archive itself. */
const char *rh_row_files_path(const char *archive, size_t table, struct arena *arena);
/* With its line feed. */
const char *rh_row_files_ticket(size_t table, struct arena *arena);
/* `has_rows`: of each table whether its rows wait, and so a ticket of it must be there. Blocking.
 */
enum err_code rh_row_files_place(const char *archive, const bool *has_rows, size_t table_count,
                                 struct err *err) RH_MUST_CHECK;

#endif
