/*
 * rehearse.yaml: the options of `run` by their long names, and limits below `gates:`.
 *
 *     schema: db/schema.sql          # paths are relative to the file
 *     set: {work_mem: 64MB}
 *     gates: {blocked: 2s, duration: 2m}
 *
 * Everything wrong with a file is found in one go: unknown and duplicate keys, values that do not
 * parse, YAML mistakes. Anchors, tags and several documents are mistakes here. Reads one file, runs
 * nothing.
 */
#ifndef RH_CMD_CONFIG_H
#define RH_CMD_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "cmd/options.h"

#define CONFIG_FILE_NAME "rehearse.yaml"

struct config_problem {
    size_t line, column; /* 1-based, in characters; 0: the file as a whole */
    const char *message;
};

struct config {
    const char *path; /* as shown */
    struct text content;
    VEC(struct config_problem) problems; /* in file order */
};

/*
 * rehearse.yaml in the current directory, else in the directories above it up to the root of the
 * repository (the one that holds .git); outside of a repository only the current one. *ret_path
 * NULL: none.
 */
enum err_code rh_config_find(struct arena *arena, const char **ret_path,
                             struct err *err) RH_MUST_CHECK;

/* Reads the file and sets what no stronger layer has set. RH_ERR_CONFIG: look at the problems. */
enum err_code rh_config_load(const char *path, struct options *options, struct arena *arena,
                             struct config *ret_config, struct err *err) RH_MUST_CHECK;
/* The same from bytes that were read already. Pure. */
enum err_code rh_config_apply(const char *path, struct text content, struct options *options,
                              struct arena *arena, struct config *ret_config,
                              struct err *err) RH_MUST_CHECK;
/* "rehearse.yaml:3:5: unknown key ...", the source line, a caret; for each problem. */
void rh_config_format_problems(const struct config *config, struct buf *out);

#endif
