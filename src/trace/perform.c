#include "trace/perform.h"

#include "base/file.h"
#include "trace/drive_int.h"

/* Spin before sleeping: the tap answers within the time a statement of its own takes; a
   relay's cost is the wake-up. */
#define SPIN_US 50

/* Everything that has to go at the end, whatever happened. */
struct stage {
    struct drive drive;
    struct loop *own_loop;
    struct loop_watch *server_watch;
};

static void stage_deinit(struct stage *stage)
{
    rh_loop_watch_free(stage->server_watch);
    rh_tap_free(stage->drive.tap);
    rh_loop_free(stage->own_loop);
}

/* The tap's own socket, where clients of ours connect as to a server. */
static enum err_code listen_on_socket(struct drive *drive, struct err *err)
{
    enum err_code code;
    char *directory = rh_file_join(drive->arena, rh_sandbox_directory(drive->options->sandbox),
                                   "tap");
    if ((code = rh_file_make_directories(directory, 0700, err)))
        return code;
    drive->role = rh_sandbox_migration_role(drive->options->sandbox);
    drive->role.socket_directory = directory;
    drive->role.host = NULL;
    drive->role.port = TAP_PORT;
    drive->role.application_name = "rehearse";
    return rh_tap_listen_in(drive->tap, directory, err);
}

static void on_server_ended(void *context, unsigned events)
{
    struct stage *stage = context;
    (void)events;
    stage->drive.server_died = true;
    rh_loop_watch_set(stage->server_watch, 0);
    rh_loop_stop(stage->drive.loop);
}

static enum err_code prepare(struct stage *stage, struct err *err)
{
    struct drive *drive = &stage->drive;
    const struct sandbox *sandbox = drive->options->sandbox;
    const struct tap_options tap_options = {.server_socket_path = rh_sandbox_socket_path(sandbox)};
    enum err_code code;
    if (!drive->loop) {
        if ((code = rh_loop_new(&stage->own_loop, err)))
            return code;
        drive->loop = stage->own_loop;
    }
    rh_loop_set_spin(drive->loop, SPIN_US);
    if ((code = rh_tap_new(drive->loop, &tap_options, &drive->audience->handler, &drive->tap,
                           err)) ||
        (code = listen_on_socket(drive, err)) ||
        (code = rh_loop_watch_new(drive->loop, rh_sandbox_server_pidfd(sandbox), on_server_ended,
                                  stage, &stage->server_watch, err)))
        return code;
    rh_loop_watch_set(stage->server_watch, LOOP_READABLE);
    return RH_OK;
}

/* --- draining --- */

static void on_look(void *context)
{
    rh_loop_stop(context);
}

static bool is_idle(const struct drive *drive)
{
    const struct audience *audience = drive->audience;
    return rh_tap_open_sessions(drive->tap) == 0 &&
           (!audience->is_idle || audience->is_idle(audience->context));
}

enum err_code rh_drive_drain(struct drive *drive, struct err *err)
{
    struct mono deadline = rh_clock_after(rh_clock_mono(), DRAIN_MAX_US);
    struct loop_timer *timer = NULL;
    enum err_code code = RH_OK;
    while (!is_idle(drive) && !drive->server_died && !code && !rh_clock_passed(deadline)) {
        if (!timer) {
            timer = rh_loop_timer_new(drive->loop, on_look, drive->loop);
            rh_loop_timer_start(timer, 1000, 1000);
        }
        code = rh_loop_run(drive->loop, RH_NEVER, err);
    }
    rh_loop_timer_free(timer);
    return code;
}

/* --- steps --- */

static enum err_code run_step(struct drive *drive, int index, struct performed_step *step,
                              struct err *err)
{
    const struct audience *audience = drive->audience;
    const struct migration_step *from = &drive->options->migration->steps.items[index];
    enum err_code code;

    step->reached = true;
    rh_progress_phase(drive->options->progress, "run %s", from->name);
    if (audience->step_started)
        audience->step_started(audience->context, index);
    if (from->kind == STEP_SQL)
        code = rh_drive_sql(drive, from, index, step, err);
    else
        code = rh_drive_command(drive, from, index, step, err);
    step->ok = step->ok && !code;
    if (audience->step_ended)
        audience->step_ended(audience->context, index, step->ok, step->exit_status);
    return code;
}

bool rh_performance_is_ok(const struct performance *performance)
{
    for (size_t i = 0; i < performance->steps.count; i++)
        if (!performance->steps.items[i].ok)
            return false;
    return !performance->server_died;
}

void rh_perform_drop_rows(struct tap_session *session)
{
    struct pg_type_set rows = {{0}};
    rh_pg_type_set_add(&rows, 'D'); /* DataRow */
    rh_pg_type_set_add(&rows, 'd'); /* CopyData */
    rh_tap_session_drop(session, &rows);
}

/* --- nobody looks --- */

struct bystander {
    bool drops_rows;
};

static void on_drops_rows(void *context, bool drops_rows)
{
    struct bystander *bystander = context;
    bystander->drops_rows = drops_rows;
}

static void on_session_opened(void *context, struct tap_session *session)
{
    const struct bystander *bystander = context;
    if (bystander->drops_rows)
        rh_perform_drop_rows(session);
}

enum err_code rh_perform(const struct performance_options *options, const struct audience *audience,
                         struct arena *arena, struct performance *performance, struct err *err)
{
    struct bystander bystander = {0};
    const struct audience nobody = {
        .context = &bystander,
        .handler = {.context = &bystander, .session_opened = on_session_opened},
        .drops_rows = on_drops_rows};
    if (!audience)
        audience = &nobody;
    struct stage stage = {
        .drive = {.options = options, .audience = audience, .arena = arena, .loop = options->loop}};
    struct drive *drive = &stage.drive;
    size_t count = options->migration->steps.count;
    *performance = (struct performance){0};
    for (size_t i = 0; i < count; i++)
        *RH_PUSH(arena, &performance->steps) = (struct performed_step){.exit_status = -1};

    enum err_code code = prepare(&stage, err);
    bool has_begun = !code;
    for (size_t i = 0; i < count && !code && !drive->server_died; i++) {
        code = run_step(drive, (int)i, &performance->steps.items[i], err);
        if (!performance->steps.items[i].ok)
            break;
    }
    performance->server_died = drive->server_died;
    performance->timed_out = code == RH_ERR_TIMEOUT;
    performance->interrupted = code == RH_ERR_INTERRUPTED;
    if (has_begun && audience->ended)
        audience->ended(audience->context);
    stage_deinit(&stage);
    return performance->timed_out || performance->interrupted ? RH_OK : code;
}
