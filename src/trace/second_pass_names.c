/* Prepared statements and portals of a session, by name. */
#include "trace/second_pass_int.h"

#include <stdlib.h>

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        RH_PANIC("out of memory (%zu bytes)", size);
    return memory;
}

static char *duplicate(struct text text)
{
    char *copy = allocate(text.len + 1);
    if (text.len > 0)
        memcpy(copy, text.data, text.len);
    return copy;
}

static void name_free(struct name *name)
{
    free(name->name);
    free(name->sql);
    free(name);
}

static void clear(struct names *names, struct name **list)
{
    while (*list) {
        struct name *first = *list;
        *list = first->next;
        name_free(first);
        names->count--;
    }
}

void rh_names_deinit(struct names *names)
{
    clear(names, &names->prepared);
    clear(names, &names->portals);
}

void rh_names_clear_portals(struct names *names)
{
    clear(names, &names->portals);
}

struct name *rh_names_find(struct name *list, const char *name)
{
    while (list && strcmp(list->name, name) != 0)
        list = list->next;
    return list;
}

void rh_names_remove(struct names *names, struct name **list, const char *name)
{
    for (struct name **link = list; *link; link = &(*link)->next) {
        struct name *found = *link;
        if (strcmp(found->name, name) != 0)
            continue;
        *link = found->next;
        name_free(found);
        names->count--;
        return;
    }
}

bool rh_names_set(struct names *names, struct name **list, const char *name, struct text sql,
                  bool is_phantom)
{
    rh_names_remove(names, list, name);
    if (names->count >= NAMES_MAX)
        return false;
    struct name *added = allocate(sizeof(*added));
    added->name = duplicate(rh_text(name));
    added->sql = duplicate(sql);
    added->is_phantom = is_phantom;
    added->next = *list;
    *list = added;
    names->count++;
    return true;
}
