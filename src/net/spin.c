#include "net/spin.h"

#include "base/file.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARE_ONE 256u
/* Weights of one observation: 1/16 of a wait (a burst of quick answers switches spinning on within
   a millisecond), 1/8 of a look. */
#define WAIT_WEIGHT 16
#define LOOK_WEIGHT 8
/* Half: below it a spin costs more often than it saves. */
#define PROMPT_ENOUGH (SHARE_ONE / 2)
#define CROWD_TOO_MUCH (SHARE_ONE / 2)
/* A look costs about 5 us (measured: pread of /proc/loadavg), so this is 0.1 % of a core. */
#define LOOK_INTERVAL_US 5000

void rh_spin_init(struct spin *spin)
{
    *spin = (struct spin){.loadavg_fd = -1};
}

void rh_spin_deinit(struct spin *spin)
{
    if (spin->loadavg_fd >= 0)
        close(spin->loadavg_fd);
    rh_spin_init(spin);
}

/* Reads a file of the kernel's that fits in `line`; 0 when that fails. */
static size_t read_line(int fd, char *line, size_t size)
{
    ssize_t len = pread(fd, line, size - 1, 0);
    if (len <= 0)
        return 0;
    line[len] = '\0';
    return (size_t)len;
}

/* Whole cores of the CPU quota of our control group ("max 100000" or "150000 100000", the kernel's
   cgroup-v2 documentation, "cpu.max"); `otherwise` when there is none. */
static unsigned quota_cores(unsigned otherwise)
{
    char line[64];
    RH_CLEANUP_FD int fd = open("/sys/fs/cgroup/cpu.max", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read_line(fd, line, sizeof(line)) == 0)
        return otherwise;
    char *end;
    unsigned long long quota_us = strtoull(line, &end, 10);
    unsigned long long period_us = strtoull(end, NULL, 10);
    if (end == line || period_us == 0 || quota_us / period_us >= otherwise)
        return otherwise;
    return (unsigned)(quota_us / period_us);
}

static unsigned usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 0;
    return quota_cores((unsigned)CPU_COUNT(&set));
}

void rh_spin_set_limit(struct spin *spin, int64_t limit_us)
{
    spin->limit_us = limit_us > 0 ? limit_us : 0;
    if (spin->limit_us == 0 || spin->loadavg_fd >= 0)
        return;
    spin->cores = usable_cores();
    spin->loadavg_fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
}

void rh_spin_learn_load(struct spin *spin, unsigned runnable)
{
    unsigned seen = runnable > spin->cores ? SHARE_ONE : 0;
    spin->crowd_share += ((int)seen - (int)spin->crowd_share) / LOOK_WEIGHT;
}

/* "0.20 0.18 0.12 1/80 11206": the fourth field is runnable/existing (proc_loadavg(5)). */
static void look(struct spin *spin)
{
    char line[128];
    if (read_line(spin->loadavg_fd, line, sizeof(line)) == 0)
        return;
    const char *slash = strchr(line, '/');
    if (!slash)
        return;
    while (slash > line && slash[-1] >= '0' && slash[-1] <= '9')
        slash--;
    rh_spin_learn_load(spin, (unsigned)strtoul(slash, NULL, 10));
}

bool rh_spin_is_worthwhile(struct spin *spin, int64_t now_us)
{
    if (spin->limit_us == 0 || spin->loadavg_fd < 0 || spin->cores < 2 ||
        spin->prompt_share < PROMPT_ENOUGH)
        return false;
    if (now_us >= spin->next_look_us) {
        spin->next_look_us = now_us + LOOK_INTERVAL_US;
        look(spin);
    }
    return spin->crowd_share < CROWD_TOO_MUCH;
}

void rh_spin_learn_wait(struct spin *spin, int64_t waited_us)
{
    int seen = waited_us <= spin->limit_us ? (int)SHARE_ONE : 0;
    int step = (seen - (int)spin->prompt_share) / WAIT_WEIGHT;
    spin->prompt_share = (unsigned)((int)spin->prompt_share + step);
}
