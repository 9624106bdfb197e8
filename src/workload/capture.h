/*
 * A capture: the tap between clients and production, the path that looks at what passes, the ring,
 * the recorder and the file, from the first connection to the last. Blocks until it is over. What
 * goes wrong with the recording never ends the forwarding: that goes on until somebody stops it.
 */
#ifndef RH_WORKLOAD_CAPTURE_H
#define RH_WORKLOAD_CAPTURE_H

#include "engine/engine.h"
#include "mask/mask_map.h"
#include "workload/capture_path.h"
#include "workload/capture_recorder.h"

struct capture_options {
    const struct engine *engine;
    const char *url;    /* the upstream; a secret */
    const char *listen; /* as net/listen.h has it */
    const char *out;    /* the workload */
    const uint8_t *key; /* WORKLOAD_KEY_BYTES; NULL: not encrypted */
    /* masking.yaml, read, with the key of a snapshot; NULL: values stay as they are. */
    const char *masking_path;
    struct text masking_yaml;
    const struct mask_master_key *mask_key;
    const char *mask_key_id;

    const struct tls_options *client_tls; /* NULL: plain */
    bool requires_client_tls;

    int64_t ring_bytes, spill_bytes; /* spill 0: none */
    int64_t copy_max_bytes, max_bytes;
    bool sheds, starts_paused;
    bool exits_when_recorded; /* by for_us or max_bytes; else the forwarding goes on */
    int64_t drain_us, for_us; /* for 0: until it is stopped */
    const char *metrics;      /* as listen; NULL: none */

    void *context;
    /* What somebody at the terminal should know. */
    void (*note)(void *context, const char *sentence);
    void (*ready)(void *context); /* it listens */
};

/* What came of it. Texts lie in the arena given. */
struct capture_result {
    struct capture_path_figures path;
    struct capture_recorder_figures recorder;
    struct workload_totals totals; /* fidelity, gaps, is_complete, as in the file */
    int64_t duration_us;
    bool has_file;
};

/* RH_OK also when a signal or --for ended it. An error of the recording (the disk is full) is
   returned once the forwarding is over; the file is then complete up to there and says so. */
enum err_code rh_capture_run(const struct capture_options *options, struct arena *arena,
                             struct capture_result *ret_result, struct err *err) RH_MUST_CHECK;

#endif
