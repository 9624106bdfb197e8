/*
 * Connection URLs as a relay needs them. libpq itself says what a URL means (service files,
 * password files, defaults): it is asked for a connection that it refuses to begin, and then for
 * the values that it would have used.
 */
#include "engine/postgres/pg_connection_int.h"
#include "engine/postgres/pg_engine_int.h"

#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Hosts of one URL. */
#define HOSTS_MAX 64
#define DEFAULT_PORT 5432
#define SECOND_US INT64_C(1000000)

/* --- keywords newer than our libpq ---------------------------------------------------------------
 * sslcertmode came with 16, sslnegotiation with 17: a URL that has them is cut into itself without
 * them and their values.
 */

struct newer {
    const char *negotiation, *certificate_mode; /* NULL: not said */
};

static const char **place_of(struct newer *newer, struct text keyword)
{
    if (rh_text_is(keyword, "sslnegotiation"))
        return &newer->negotiation;
    return rh_text_is(keyword, "sslcertmode") ? &newer->certificate_mode : NULL;
}

/* The part of a URL behind '?': parameters joined by '&'. */
static void cut_query(struct arena *arena, const char *query, struct newer *newer, struct buf *out)
{
    char separator = '?';
    while (*query) {
        size_t length = strcspn(query, "&");
        struct text item = {query, length};
        const char *equals = memchr(query, '=', length);
        const char **place = equals
                                 ? place_of(newer, (struct text){query, (size_t)(equals - query)})
                                 : NULL;
        if (place) {
            *place = rh_arena_strndup(arena, equals + 1, length - (size_t)(equals + 1 - query));
        } else {
            rh_buf_add_char(out, separator);
            rh_buf_add_text(out, item);
            separator = '&';
        }
        query += length + (query[length] == '&');
    }
}

/* A value of "keyword = value": bare, or in single quotes with backslashes. Returns its end. */
static const char *skip_value(const char *at)
{
    bool is_quoted = *at == '\'';
    at += is_quoted;
    while (*at && (is_quoted ? *at != '\'' : !isspace((unsigned char)*at)))
        at += at[0] == '\\' && at[1] ? 2 : 1;
    return at + (is_quoted && *at == '\'');
}

static const char *skip_spaces(const char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

static void cut_pairs(struct arena *arena, const char *pairs, struct newer *newer, struct buf *out)
{
    while (*pairs) {
        const char *begin = skip_spaces(pairs);
        size_t keyword = strcspn(begin, "= \t\n");
        const char *value = skip_spaces(begin + keyword);
        if (*value == '=')
            value = skip_spaces(value + 1);
        const char *end = skip_value(value);
        const char **place = place_of(newer, (struct text){begin, keyword});
        if (place)
            *place = *value == '\'' && end > value + 1
                         ? rh_arena_strndup(arena, value + 1, (size_t)(end - value - 2))
                         : rh_arena_strndup(arena, value, (size_t)(end - value));
        else
            rh_buf_add(out, pairs, (size_t)(end - pairs));
        pairs = end;
    }
}

static const char *cut_newer(const char *url, struct arena *arena, struct newer *newer)
{
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, strlen(url) + 2);
    bool is_url = strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0;
    const char *query = is_url ? strchr(url, '?') : NULL;
    if (query) {
        rh_buf_add(&out, url, (size_t)(query - url));
        cut_query(arena, query + 1, newer, &out);
    } else if (!is_url) {
        cut_pairs(arena, url, newer, &out);
    } else {
        rh_buf_add_str(&out, url);
    }
    return rh_arena_strndup(arena, rh_buf_text(&out).data, out.len);
}

/* Whether our libpq has both keywords. */
static bool knows_newer(void)
{
    PQconninfoOption *options = PQconninfoParse("", NULL); /* looks at no environment */
    bool knows = false;
    for (const PQconninfoOption *it = options; it && it->keyword; it++)
        knows = knows || strcmp(it->keyword, "sslnegotiation") == 0;
    PQconninfoFree(options);
    return knows;
}

/* --- what libpq would use ------------------------------------------------------------------------
 */

/* A value that libpq refuses when it has looked everything up, right before it would connect. */
#define NO_SUCH_BINDING "none, only looking"

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    return NULL;
}

static const char *keep(struct arena *arena, const char *value)
{
    return value && value[0] ? rh_arena_strdup(arena, value) : NULL;
}

static enum err_code refuse_url(struct err *err, const char *what, const char *hint)
{
    rh_err_set(err, RH_ERR_USAGE, "%s", what);
    if (hint)
        rh_err_hint(err, "%s", hint);
    return RH_ERR_USAGE;
}

/* libpq's words may quote the URL, so they are not repeated. */
static enum err_code look(const char *url, PGconn **ret_conn, struct err *err)
{
    const char *const keywords[] = {"dbname", "channel_binding", NULL};
    const char *const values[] = {url, NO_SUCH_BINDING, NULL};
    struct hidden_environment hidden;
    rh_pg_hide_environment(&hidden);
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    rh_pg_restore_environment(&hidden);
    if (!conn)
        RH_PANIC("out of memory for a connection");
    if (strstr(PQerrorMessage(conn), NO_SUCH_BINDING)) {
        *ret_conn = conn;
        return RH_OK;
    }
    PQfinish(conn);
    return refuse_url(err, "libpq cannot make sense of this connection URL",
                      "A service that it names must be in ~/.pg_service.conf, and hosts, addresses "
                      "and ports must be equally many.");
}

static enum err_code check_relayable(const PQconninfoOption *options, const char *channel_binding,
                                     struct err *err)
{
    const char *attributes = value_of(options, "target_session_attrs");
    const char *gss = value_of(options, "gssencmode");
    if (channel_binding && strcmp(channel_binding, "require") == 0)
        return refuse_url(err, "channel_binding=require cannot pass our relay",
                          "Leave it out; sslmode=verify-full makes sure of the server.");
    if (attributes && strcmp(attributes, "any") != 0)
        return refuse_url(err, "target_session_attrs is not looked at here",
                          "Name the one server that is meant.");
    if (gss && strcmp(gss, "require") == 0)
        return refuse_url(err, "gssencmode=require cannot pass our relay",
                          "Use TLS (sslmode=verify-full).");
    if (value_of(options, "requirepeer"))
        return refuse_url(err, "requirepeer is not looked at here", "Leave it out.");
    return RH_OK;
}

/* --- hosts ------------------------------------------------------------------------------------ */

struct list {
    const char *items[HOSTS_MAX]; /* NULL: empty */
    size_t count;
};

static enum err_code split(struct arena *arena, const char *commas, struct list *list,
                           struct err *err)
{
    list->count = 0;
    while (commas) {
        if (list->count == HOSTS_MAX)
            return rh_err_set(err, RH_ERR_LIMIT, "the connection URL has more than %d hosts",
                              HOSTS_MAX);
        size_t length = strcspn(commas, ",");
        list->items[list->count++] = length ? rh_arena_strndup(arena, commas, length) : NULL;
        commas = commas[length] ? commas + length + 1 : NULL;
    }
    return RH_OK;
}

static enum err_code read_port(const char *text, uint16_t *ret_port, struct err *err)
{
    int64_t port = DEFAULT_PORT;
    if (text &&
        (!rh_text_parse_int64(rh_text_trim(rh_text(text)), &port) || port < 1 || port > UINT16_MAX))
        return refuse_url(err, "a port of the connection URL is no number from 1 to 65535", NULL);
    *ret_port = (uint16_t)port;
    return RH_OK;
}

static enum err_code read_hosts(const PQconninfoOption *options, const char *first_host,
                                struct arena *arena, struct upstream *upstream, struct err *err)
{
    struct list names, addresses, ports;
    enum err_code code = split(arena, value_of(options, "host"), &names, err);
    if (!code)
        code = split(arena, value_of(options, "hostaddr"), &addresses, err);
    if (!code)
        code = split(arena, value_of(options, "port"), &ports, err);
    if (code)
        return code;
    size_t count = names.count > addresses.count ? names.count : addresses.count;
    struct upstream_host *hosts = rh_arena_alloc_array(arena, count ? count : 1, sizeof(*hosts));
    for (size_t i = 0; i < (count ? count : 1); i++) {
        const char *port = ports.count == 0   ? NULL
                           : ports.count == 1 ? ports.items[0]
                           : i < ports.count  ? ports.items[i]
                                              : NULL;
        hosts[i].name = i < names.count ? names.items[i] : NULL;
        hosts[i].address = i < addresses.count ? addresses.items[i] : NULL;
        if (!hosts[i].name && !hosts[i].address)
            hosts[i].name = first_host;
        if ((code = read_port(port, &hosts[i].port, err)))
            return code;
    }
    upstream->hosts = hosts;
    upstream->host_count = count ? count : 1;
    return RH_OK;
}

/* --- TLS -------------------------------------------------------------------------------------- */

/* ~/.postgresql/NAME where that exists ("Client Certificates"). */
static const char *default_file(struct arena *arena, const char *name)
{
    const char *home = getenv("HOME");
    if (!home || !home[0]) {
        const struct passwd *user = getpwuid(geteuid());
        home = user ? user->pw_dir : "";
    }
    const char *path = rh_arena_printf(arena, "%s/.postgresql/%s", home, name);
    return access(path, F_OK) == 0 ? path : NULL;
}

static const char *file_or_default(const PQconninfoOption *options, const char *keyword,
                                   const char *name, struct arena *arena)
{
    const char *given = value_of(options, keyword);
    return given ? rh_arena_strdup(arena, given) : default_file(arena, name);
}

static enum err_code read_mode(const char *name, enum tls_mode *ret_mode, struct err *err)
{
    static const char *const names[] = {
        [TLS_MODE_DISABLE] = "disable",     [TLS_MODE_ALLOW] = "allow",
        [TLS_MODE_PREFER] = "prefer",       [TLS_MODE_REQUIRE] = "require",
        [TLS_MODE_VERIFY_CA] = "verify-ca", [TLS_MODE_VERIFY_FULL] = "verify-full"};
    for (enum tls_mode mode = TLS_MODE_DISABLE; mode <= TLS_MODE_VERIFY_FULL; mode++) {
        if (strcmp(name, names[mode]) == 0) {
            *ret_mode = mode;
            return RH_OK;
        }
    }
    return refuse_url(err, "the sslmode of the connection URL is unknown",
                      "It is one of disable, allow, prefer, require, verify-ca, verify-full.");
}

static enum err_code read_version(const char *name, enum tls_version *ret_version, struct err *err)
{
    if (!name || rh_tls_version_parse(name, ret_version))
        return RH_OK;
    return refuse_url(err, "a TLS version of the connection URL is unknown",
                      "It is one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3.");
}

static enum err_code read_newer(const struct newer *newer, struct upstream *upstream,
                                struct err *err)
{
    struct tls_options *tls = &upstream->tls;
    const char *mode = newer->certificate_mode ? newer->certificate_mode : "allow";
    if (newer->negotiation && strcmp(newer->negotiation, "direct") == 0)
        upstream->tls_is_direct = true;
    else if (newer->negotiation && strcmp(newer->negotiation, "postgres") != 0)
        return refuse_url(err, "the sslnegotiation of the connection URL is unknown",
                          "It is postgres or direct.");
    if (strcmp(mode, "disable") == 0)
        tls->certificate_file = tls->key_file = NULL;
    else if (strcmp(mode, "require") == 0 && !tls->certificate_file)
        return refuse_url(err, "sslcertmode=require, but there is no client certificate",
                          "Name it in sslcert.");
    else if (strcmp(mode, "allow") != 0 && strcmp(mode, "require") != 0)
        return refuse_url(err, "the sslcertmode of the connection URL is unknown",
                          "It is disable, allow or require.");
    return RH_OK;
}

/* `is_mode_given`: by the URL or a service, not by libpq's own default. */
static enum err_code check_system_roots(struct upstream *upstream, bool is_mode_given,
                                        struct err *err)
{
    const char *roots = upstream->tls.root_file;
    if (!roots || strcmp(roots, TLS_SYSTEM_ROOTS) != 0)
        return RH_OK;
    if (!is_mode_given)
        upstream->tls_mode = TLS_MODE_VERIFY_FULL;
    if (upstream->tls_mode == TLS_MODE_VERIFY_FULL)
        return RH_OK;
    /* As libpq 16: these roots vouch for every host there is, so the name must be looked at. */
    return refuse_url(err, "sslrootcert=system needs sslmode=verify-full", NULL);
}

static enum err_code read_tls(const PQconninfoOption *options, const struct newer *newer,
                              bool is_mode_given, struct arena *arena, struct upstream *upstream,
                              struct err *err)
{
    struct tls_options *tls = &upstream->tls;
    const char *mode = value_of(options, "sslmode"), *sni = value_of(options, "sslsni");
    enum err_code code = read_mode(mode ? mode : "prefer", &upstream->tls_mode, err);
    if (code)
        return code;
    tls->root_file = file_or_default(options, "sslrootcert", "root.crt", arena);
    tls->crl_file = keep(arena, value_of(options, "sslcrl"));
    tls->crl_directory = keep(arena, value_of(options, "sslcrldir"));
    if (!tls->crl_file && !tls->crl_directory)
        tls->crl_file = default_file(arena, "root.crl");
    tls->certificate_file = file_or_default(options, "sslcert", "postgresql.crt", arena);
    if (tls->certificate_file)
        tls->key_file = file_or_default(options, "sslkey", "postgresql.key", arena);
    tls->key_password = keep(arena, value_of(options, "sslpassword"));
    tls->omits_sni = sni && strcmp(sni, "0") == 0;
    if (tls->key_file && !strchr(tls->key_file, '/') && strchr(tls->key_file, ':'))
        return refuse_url(err, "keys in hardware (sslkey=engine:...) are not supported", NULL);
    code = read_version(value_of(options, "ssl_min_protocol_version"), &tls->min_version, err);
    if (!code)
        code = read_version(value_of(options, "ssl_max_protocol_version"), &tls->max_version, err);
    if (!code)
        code = read_newer(newer, upstream, err);
    return code ? code : check_system_roots(upstream, is_mode_given, err);
}

/* libpq: 0 and less wait for ever, and below two seconds makes no sense. */
static int64_t timeout_us(const char *seconds)
{
    int64_t value = 0;
    if (!seconds || !rh_text_parse_int64(rh_text_trim(rh_text(seconds)), &value) || value <= 0)
        return 0;
    return (value < 2 ? 2 : value > 3600 ? 3600 : value) * SECOND_US;
}

/* --- all of it -------------------------------------------------------------------------------- */

struct said {
    const char *channel_binding;
    bool has_mode, has_service;
};

/* What only the URL itself tells: libpq's answer has our own value, and its default. */
static enum err_code parse_said(const char *url, struct arena *arena, struct said *said,
                                struct err *err)
{
    struct url_place ignored;
    enum err_code code = rh_pg_describe_url(url, arena, &ignored, err);
    if (code)
        return code;
    PQconninfoOption *options = PQconninfoParse(url, NULL);
    if (!options)
        RH_PANIC("out of memory for a connection URL");
    said->channel_binding = keep(arena, value_of(options, "channel_binding"));
    said->has_mode = value_of(options, "sslmode") != NULL;
    said->has_service = value_of(options, "service") != NULL;
    PQconninfoFree(options);
    return RH_OK;
}

static enum err_code read_all(PGconn *conn, const PQconninfoOption *options,
                              const struct newer *newer, const struct said *said,
                              struct arena *arena, struct url_upstream *upstream, struct err *err)
{
    const char *mode = value_of(options, "sslmode");
    bool is_mode_given = said->has_mode ||
                         (said->has_service && mode && strcmp(mode, "prefer") != 0);
    enum err_code code = check_relayable(options, said->channel_binding, err);
    if (!code)
        code = read_hosts(options, rh_arena_strdup(arena, PQhost(conn)), arena, &upstream->upstream,
                          err);
    if (!code)
        code = read_tls(options, newer, is_mode_given, arena, &upstream->upstream, err);
    upstream->upstream.connect_timeout_us = timeout_us(value_of(options, "connect_timeout"));
    upstream->user = keep(arena, PQuser(conn));
    upstream->database = keep(arena, PQdb(conn));
    upstream->password = keep(arena, PQpass(conn));
    upstream->options = keep(arena, value_of(options, "options"));
    return code;
}

enum err_code rh_pg_describe_upstream(const char *url, struct arena *arena,
                                      struct url_upstream *ret_upstream, struct err *err)
{
    struct newer newer = {0};
    struct said said = {0};
    struct url_upstream upstream = {0};
    PGconn *conn = NULL;
    const char *older = cut_newer(url, arena, &newer);
    enum err_code code = parse_said(older, arena, &said, err);
    if (!code)
        code = look(older, &conn, err);
    if (code)
        return code;
    PQconninfoOption *options = PQconninfo(conn);
    if (!options)
        RH_PANIC("out of memory for a connection URL");
    code = read_all(conn, options, &newer, &said, arena, &upstream, err);
    PQconninfoFree(options);
    PQfinish(conn);
    upstream.url = knows_newer() ? rh_arena_strdup(arena, url) : older;
    if (code == RH_OK)
        *ret_upstream = upstream;
    return code;
}
