#include "cmd/cli.h"
#include "cmd/snapshot_options.h"

static const struct option rows[] = {
    OPTION_ROW_SAMPLE,           OPTION_ROW_WHERE,
    OPTION_ROW_MAX_ROWS,         OPTION_ROW_MAX_CHILDREN,
    OPTION_ROW_WITNESS,          OPTION_ROW_EXCLUDE_TABLE,
    OPTION_ROW_NO_LARGE_OBJECTS, OPTION_ROW_MASKING,
    OPTION_ROW_SUGGEST,          OPTION_ROW_KEY_FILE,
    OPTION_ROW_KEY_COMMAND,      OPTION_ROW_KEEP_COMMENTS,
    OPTION_ROW_UNMASKED,         OPTION_ROW_JOBS,
    OPTION_ROW_NO_VERIFY,        OPTION_ROW_SERVER_BIN,
    OPTION_ROW_SERVER_USER,      OPTION_ROW_SANDBOX_DIR,
    OPTION_ROW_CACHE_DIR,        OPTION_ROW_SNAPSHOT_NO_CACHE,
    OPTION_ROW_SNAPSHOT_TIMEOUT, OPTION_ROW_SNAPSHOT_OUT,
    OPTION_ROW_REPLACE,          OPTION_ROW_SNAPSHOT_JSON,
    OPTION_ROW_SNAPSHOT_QUIET,   OPTION_ROW_COLOR,
    OPTION_ROW_CONFIG,           OPTION_ROW_NO_CONFIG,
};

static const char *const usage[] = {"rehearse snapshot import ARCHIVE -o DIR [OPTIONS]",
                                    "rehearse snapshot import ARCHIVE --suggest [OPTIONS]", NULL};
static const char *const description[] = {
    "Makes a snapshot of a dump that is there already: any pg_dump archive (custom, directory, "
    "tar, "
    "plain, also .gz and .zst). It is restored into a private sandbox, which is wiped at the end, "
    "and copied from there as \"rehearse snapshot create\" copies a database.",
    "Production's rows and sizes are then those of the archive.",
    "Options can stand in rehearse.yaml below \"snapshot-import:\".", NULL};
static const char *const examples[] = {"rehearse snapshot import nightly.dump -o shop.snapshot",
                                       NULL};

const struct command rh_command_snapshot_import = {
    .name = "snapshot import",
    .section = "snapshot-import",
    .summary = "the same from any pg_dump archive",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .positional_name = "ARCHIVE",
    .positional_max = 1,
    .run = rh_snapshot_command,
};
