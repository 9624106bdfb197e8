/*
 * How long the data state of a database takes to read. For tests/bench/run.
 *
 *     state_timer SOCKET_DIRECTORY PORT SAMPLE_OVER_BYTES
 *
 * As superuser postgres of the database postgres, with as many connections as a run has.
 * SAMPLE_OVER_BYTES 0: every row is digested. Prints "SECONDS TABLES ROWS BYTES SKIPPED SAMPLED".
 */
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>

#define BUDGET_US (3600 * INT64_C(1000000))

int main(int argc, char **argv)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    const struct engine *engine = &rh_engine_postgres;
    struct connection *connection = NULL;
    struct data_state state = {0};
    struct err err = RH_ERR_INIT;
    char shown[4096];

    if (argc != 4) {
        fprintf(stderr, "usage: state_timer SOCKET_DIRECTORY PORT SAMPLE_OVER_BYTES\n");
        return 2;
    }
    const struct connection_parameters parameters = {.socket_directory = argv[1],
                                                     .port = (uint16_t)strtol(argv[2], NULL, 10),
                                                     .user = "postgres",
                                                     .database = "postgres",
                                                     .application_name = "state_timer"};
    const struct data_state_options options = {.budget_us = BUDGET_US,
                                               .sample_over_bytes = strtoll(argv[3], NULL, 10)};
    struct mono began = rh_clock_mono();
    if (engine->connect(&parameters, RH_NEVER, &connection, &err) ||
        engine->read_data_state(connection, &parameters, &options, arena, RH_NEVER, &state, &err)) {
        rh_err_format(&err, shown, sizeof(shown));
        fprintf(stderr, "%s\n", shown);
        return 1;
    }
    double seconds = (double)(rh_clock_mono().us - began.us) / 1e6;
    int64_t rows = 0, bytes = 0;
    size_t skipped = 0, sampled = 0;
    for (size_t i = 0; i < state.tables.count; i++) {
        const struct table_state *table = &state.tables.items[i];
        rows += table->rows;
        bytes += table->bytes;
        skipped += table->skipped != NULL;
        sampled += table->sample_parts < SAMPLE_PARTS;
    }
    printf("%.3f %zu %lld %lld %zu %zu\n", seconds, state.tables.count, (long long)rows,
           (long long)bytes, skipped, sampled);
    engine->close(connection);
    return 0;
}
