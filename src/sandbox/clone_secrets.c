/*
 * The secrets of clones whose base has none: a sandbox that lies in the cache may not keep a
 * password. Its clone's server is started with a door open to one role, on a socket in a directory
 * that nobody else may enter, is given the run's own passwords there, and told to shut it, all
 * before anything else knows of it.
 */
#include "sandbox/sandbox_int.h"

#include "base/quote.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

static const char shut[] = "local all all scram-sha-256\n";

static enum err_code write_door(struct sandbox *clone, const char *text, struct err *err)
{
    RH_CLEANUP_FD int fd = open(clone->hba_path,
                                O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
        (clone->drops_privileges && fchown(fd, clone->uid, clone->gid) != 0))
        return rh_err_set_errno(err, errno, "cannot write \"%s\"", clone->hba_path);
    return RH_OK;
}

enum err_code rh_clone_open_door(struct sandbox *clone, struct err *err)
{
    clone->hba_path = rh_file_join(clone->arena, clone->directory, "hba.conf");
    return write_door(clone,
                      rh_arena_printf(clone->arena, "local all %s trust\n%s",
                                      rh_quote_name(clone->arena, clone->superuser), shut),
                      err);
}

/* The passwords outlive a crash of the server (rh_sandbox_crash) right after: our sessions do not
   wait for their commits otherwise.

   A connection that is asked for after pg_reload_conf() has returned is accepted by a server that
   has read the file: it looks at signals first (postmaster.c, ServerLoop). */
enum err_code rh_clone_shut_door(struct sandbox *clone, struct err *err)
{
    struct arena *arena = clone->arena;
    unsigned char salt[SECRET_SALT_BYTES];
    enum err_code code;

    if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
        RH_PANIC("no random bytes: %s", strerror(errno));
    if ((code = rh_roles_connect(clone, err)) ||
        (code = rh_roles_execute(
             clone, err,
             "BEGIN; SET LOCAL synchronous_commit = on;"
             " ALTER ROLE %s PASSWORD '%s'; ALTER ROLE %s PASSWORD '%s'; COMMIT",
             rh_quote_name(arena, clone->superuser),
             rh_secret_verifier(arena, clone->superuser_password, 1, salt),
             rh_quote_name(arena, clone->role), clone->role_password)) ||
        (code = write_door(clone, shut, err)))
        return code;
    return rh_roles_execute(clone, err, "SELECT pg_reload_conf()");
}
