#include "rehearsal/production.h"

#include "base/text.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#define COMMENT_MARK "rehearse: production"
#define SETTING_NAME "rehearse.production"

static bool matches(const char *pattern, const char *name)
{
    return name[0] && fnmatch(pattern, name, FNM_CASEFOLD | FNM_NOESCAPE) == 0;
}

/* As PostgreSQL reads a boolean, as far as it says no; anything else in it was meant. */
static bool is_off(const char *setting)
{
    static const char *const offs[] = {"", "off", "false", "no", "0", "f", "n"};

    for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++)
        if (strcasecmp(setting, offs[i]) == 0)
            return true;
    return false;
}

static const char *why_pattern(const char *pattern, const struct production_facts *facts,
                               struct arena *arena)
{
    char *hosts = rh_arena_strdup(arena, facts->hosts ? facts->hosts : "");

    if (matches(pattern, facts->database))
        return rh_arena_printf(arena, "its name matches \"%s\"", pattern);
    for (char *host; (host = strsep(&hosts, ","));)
        if (matches(pattern, host) ||
            (host[0] && matches(pattern, rh_arena_printf(arena, "%s/%s", host, facts->database))))
            return rh_arena_printf(arena, "its host \"%s\" matches \"%s\"", host, pattern);
    return NULL;
}

const char *rh_production_why(const char *const *patterns, size_t count,
                              const struct production_facts *facts, struct arena *arena)
{
    if (facts->setting && !is_off(facts->setting))
        return rh_arena_printf(arena, "it has the setting " SETTING_NAME " = %s", facts->setting);
    if (facts->comment && strcasestr(facts->comment, COMMENT_MARK))
        return "its comment says \"" COMMENT_MARK "\"";
    for (size_t i = 0; i < count; i++) {
        const char *why = why_pattern(patterns[i], facts, arena);
        if (why)
            return why;
    }
    return NULL;
}
