/* A directory with the certificates of tools/certificates.h, for a whole group of tests. */
#ifndef RH_TESTS_CERTIFICATE_DIRECTORY_H
#define RH_TESTS_CERTIFICATE_DIRECTORY_H

#include "base/file.h"
#include "tools/certificates.h"

#include <stdio.h>
#include <stdlib.h>

static char directory[] = "/tmp/rh-net-XXXXXX";

/* The path lives until the next sixteen. */
static inline const char *in_directory(const char *name)
{
    static char paths[16][64];
    static unsigned path_count;
    char *path = paths[path_count++ % 16];

    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static inline int make_directory(void **state)
{
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    certificates_make(directory);
    return 0;
}

static inline int remove_directory(void **state)
{
    struct err err = RH_ERR_INIT;

    (void)state;
    return rh_file_remove_tree(directory, &err) == RH_OK ? 0 : -1;
}

#endif
