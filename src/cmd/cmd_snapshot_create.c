#include "cmd/cli.h"
#include "cmd/snapshot_options.h"

static const struct option rows[] = {
    OPTION_ROW_FROM,
    {
        .name = "lock-timeout",
        .kind = OPTION_DURATION,
        .value_name = "DURATION",
        .group = GROUP_SOURCE,
        .environment = "REHEARSE_SOURCE_LOCK_TIMEOUT",
        .default_text = "2s",
        .help = "Longest wait for a lock there.",
        .details = "ACCESS SHARE on every table, which only waits behind changes of tables, and "
                   "then they wait behind it.",
    },
    {
        .name = "rate-limit",
        .kind = OPTION_RATE,
        .value_name = "SIZE/s",
        .group = GROUP_SOURCE,
        .environment = "REHEARSE_RATE_LIMIT",
        .help = "Read no faster than this.",
        .details = "All sessions together. The snapshot is held longer then, and keeps vacuum "
                   "waiting on the primary.",
    },
    OPTION_ROW_SAMPLE,
    OPTION_ROW_WHERE,
    OPTION_ROW_MAX_ROWS,
    OPTION_ROW_MAX_CHILDREN,
    OPTION_ROW_WITNESS,
    OPTION_ROW_EXCLUDE_TABLE,
    OPTION_ROW_NO_LARGE_OBJECTS,
    OPTION_ROW_MASKING,
    OPTION_ROW_SUGGEST,
    OPTION_ROW_KEY_FILE,
    OPTION_ROW_KEY_COMMAND,
    OPTION_ROW_KEEP_COMMENTS,
    OPTION_ROW_UNMASKED,
    OPTION_ROW_JOBS,
    OPTION_ROW_NO_VERIFY,
    OPTION_ROW_SERVER_BIN,
    OPTION_ROW_SERVER_USER,
    OPTION_ROW_SANDBOX_DIR,
    OPTION_ROW_CACHE_DIR,
    OPTION_ROW_SNAPSHOT_NO_CACHE,
    OPTION_ROW_SNAPSHOT_TIMEOUT,
    OPTION_ROW_SNAPSHOT_OUT,
    OPTION_ROW_REPLACE,
    OPTION_ROW_SNAPSHOT_JSON,
    OPTION_ROW_SNAPSHOT_QUIET,
    OPTION_ROW_COLOR,
    OPTION_ROW_CONFIG,
    OPTION_ROW_NO_CONFIG,
};

static const char *const usage[] = {"rehearse snapshot create --from URL -o DIR [OPTIONS]",
                                    "rehearse snapshot create --from URL --suggest [OPTIONS]",
                                    NULL};
static const char *const description[] = {
    "Makes a copy of a database that migrations can be rehearsed on: masked on its way, sampled if "
    "asked, certified afterwards. It reads a primary or a standby with a role that may only read; "
    "it "
    "writes nothing there and creates nothing, and says what it did: statements, locks, bytes, how "
    "long its snapshot was held. What the role may not read is told as GRANTs before anything is "
    "read.",
    "Rows are masked as they pass, so that clear data never touches this disk. DIR/archive is a "
    "pg_dump archive as pg_restore takes it; DIR/manifest.json says what is in it; "
    "DIR/masking.yaml "
    "is the plan. Masked means pseudonymised: who has the master key can undo it.",
    "What was restored to be certified waits in the cache for the first \"rehearse run --snapshot "
    "DIR\", which then restores nothing.",
    "Options can stand in rehearse.yaml below \"snapshot-create:\".", NULL};
static const char *const examples[] = {
    "export REHEARSE_FROM=postgresql://reader@db2/shop",
    "rehearse snapshot create --suggest > masking.yaml",
    "rehearse snapshot create --masking masking.yaml -o shop.snapshot",
    "rehearse snapshot create -o s --sample 5% --witness migrations/42.sql", NULL};

const struct command rh_command_snapshot_create = {
    .name = "snapshot create",
    .section = "snapshot-create",
    .summary = "copy production: masked, sampled, certified",
    .usage = usage,
    .description = description,
    .examples = examples,
    .options = rows,
    .option_count = sizeof(rows) / sizeof(*rows),
    .run = rh_snapshot_command,
};
