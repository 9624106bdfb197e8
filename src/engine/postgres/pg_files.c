#include "engine/postgres/pg_engine_int.h"

#include "base/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* What initdb makes has ids below (FirstNormalObjectId, src/include/access/transam.h). */
#define FIRST_NORMAL_ID 16384

/* A folder below base/ is a database under its id, or "pgsql_tmp" (manual 18, "Database File
   Layout"). */
static bool is_ours_to_count(const char *name)
{
    char *end;
    unsigned long id = strtoul(name, &end, 10);

    return name[0] != '.' && (*end != '\0' || id >= FIRST_NORMAL_ID);
}

int64_t rh_pg_data_bytes(const char *data_directory)
{
    char path[PATH_MAX];
    int64_t bytes = 0;

    if (snprintf(path, sizeof(path), "%s/base", data_directory) >= (int)sizeof(path))
        return -1;
    DIR *directory = opendir(path);
    if (!directory)
        return -1;
    for (struct dirent *entry; (entry = readdir(directory));) {
        char below[PATH_MAX];
        if (is_ours_to_count(entry->d_name) &&
            snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) < (int)sizeof(below))
            bytes += rh_file_tree_bytes(below);
    }
    closedir(directory);
    return bytes;
}
