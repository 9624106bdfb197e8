#include "sandbox/restart.h"

#include "sandbox/sandbox_int.h"

#include <signal.h>
#include <sys/stat.h>

void rh_sandbox_crash(struct sandbox *sandbox)
{
    RH_ASSERT(sandbox->is_ready && !sandbox->is_kept);
    rh_process_signal(&sandbox->process, SIGQUIT);
}

enum err_code rh_sandbox_recover(struct sandbox *sandbox, struct err *err)
{
    struct stat log;
    enum err_code code;

    rh_progress_phase(sandbox->progress, "restart the server after its crash");
    rh_cluster_stop_now(sandbox);
    if ((code = rh_cluster_ensure(sandbox, CLUSTER_RUNNING, err))) {
        rh_err_while(err, "while restarting the sandbox's server after a crash");
        return code;
    }
    rh_roles_disconnect(sandbox);
    sandbox->crash_reason = NULL;
    if (stat(sandbox->log_path, &log) == 0)
        sandbox->log_offset = (int64_t)log.st_size;
    return RH_OK;
}
