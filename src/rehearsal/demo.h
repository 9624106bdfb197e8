/*
 * The demo: a generated shop database, loaded once, and four migrations rehearsed each on a clone
 * of it. Data and migrations are built in (demo/ of the source tree). Files are written only when
 * asked.
 */
#ifndef RH_REHEARSAL_DEMO_H
#define RH_REHEARSAL_DEMO_H

#include "base/progress.h"
#include "base/terminal.h"
#include "base/text.h"
#include "model/result.h"
#include "sandbox/sandbox.h"

#include <stdbool.h>
#include <stddef.h>

struct demo_options {
    struct sandbox_options sandbox;
    struct terminal terminal; /* of the stream that print writes to */
    struct progress *progress;
    const char *out_directory; /* one directory per migration in it; NULL: no files */
    /* Called with each finished part of the show, in order. */
    void (*print)(void *context, struct text text);
    void *print_context;
    /* Called with each migration's result (--json), valid during the call; NULL: not wanted. */
    void (*result)(void *context, const struct result *result);
    void *result_context;
};

/* *ret_as_expected: all four verdicts are what they should be (one safe, three unsafe). */
enum err_code rh_demo_run(const struct demo_options *options, bool *ret_as_expected,
                          struct err *err) RH_MUST_CHECK;

/* The built-in files, as in demo/. */
struct demo_file {
    const char *name; /* "1_add_loyalty_tier.sql" */
    const char *content;
};
/* SQL that creates and fills the shop, in sections that each are one string of statements. */
extern const char *const rh_demo_shop_sections[];
extern const size_t rh_demo_shop_section_count;
extern const struct demo_file rh_demo_migrations[];
extern const size_t rh_demo_migration_count;

#endif
