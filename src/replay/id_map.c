#include "replay/id_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct id_value value, replayed;
    uint32_t domain;
    uint32_t next; /* in its chain, from 1; 0 */
    enum id_state state;
};

struct named {
    const char *schema, *table, *column;
    uint32_t domain;
    bool has_sequence;
};

struct id_map {
    const struct workload_key *keys;
    size_t key_count;
    struct named *names; /* by table, column */
    size_t name_count;
    int64_t *since; /* by domain */
    uint32_t domain_count;

    struct entry *entries; /* a ring once it is full */
    size_t entry_count, entry_capacity, oldest;
    uint32_t *chains; /* entries from 1, by hash */
    size_t chain_count;
};

/* --- values ----------------------------------------------------------------------------------- */

static bool parse_uuid(struct text text, struct id_value *value)
{
    uint64_t halves[2] = {0, 0};
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text.data[i] != '-')
                return false;
            continue;
        }
        int digit = rh_hex_value(text.data[i]);
        if (digit < 0)
            return false;
        halves[digits / 16] = halves[digits / 16] << 4 | (uint64_t)digit;
        digits++;
    }
    *value = (struct id_value){halves[0], halves[1], true};
    return true;
}

bool rh_id_value_parse(struct text text, struct id_value *ret_value)
{
    int64_t number;
    if (text.len == WORKLOAD_ID_BYTES_MAX)
        return parse_uuid(text, ret_value);
    if (!rh_text_parse_int64(text, &number))
        return false;
    *ret_value = (struct id_value){.low = (uint64_t)number};
    return true;
}

bool rh_id_value_decode(struct text binary, struct id_value *ret_value)
{
    uint64_t words[2] = {0, 0};
    bool is_uuid = binary.len == 16;
    if (!is_uuid && binary.len != 2 && binary.len != 4 && binary.len != 8)
        return false;
    if (!is_uuid && (unsigned char)binary.data[0] & 0x80)
        words[0] = UINT64_MAX;
    for (size_t i = 0; i < binary.len; i++)
        words[i / 8] = words[i / 8] << 8 | (unsigned char)binary.data[i];
    *ret_value = is_uuid ? (struct id_value){words[0], words[1], true}
                         : (struct id_value){.low = words[0]};
    return true;
}

size_t rh_id_value_format(const struct id_value *value, char out[static WORKLOAD_ID_BYTES_MAX + 1])
{
    unsigned long long high = value->high, low = value->low;
    int length = value->is_uuid
                     ? snprintf(out, WORKLOAD_ID_BYTES_MAX + 1,
                                "%08llx-%04llx-%04llx-%04llx-%012llx", high >> 32,
                                high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffffffffffff)
                     : snprintf(out, WORKLOAD_ID_BYTES_MAX + 1, "%lld", (long long)value->low);
    return (size_t)length;
}

bool rh_id_value_encode(const struct id_value *value, char *out, size_t length)
{
    int64_t number = (int64_t)value->low;
    if (value->is_uuid != (length == 16))
        return false;
    if (length < 8 &&
        (number >= INT64_C(1) << (8 * length - 1) || number < -(INT64_C(1) << (8 * length - 1))))
        return false;
    for (size_t i = 0; i < length; i++) {
        uint64_t word = length == 16 && i < 8 ? value->high : value->low;
        out[i] = (char)(word >> 8 * ((length - 1 - i) % 8));
    }
    return true;
}

/* --- names ------------------------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int sign = strcmp(x->table, y->table);
    return sign ? sign : strcmp(x->column, y->column);
}

static void add_names(struct id_map *map)
{
    for (size_t i = 0; i < map->key_count; i++) {
        const struct workload_key *key = &map->keys[i];
        if (key->column[0])
            map->names[map->name_count++] = (struct named){key->schema, key->table, key->column,
                                                           key->domain, key->sequence[0] != '\0'};
        if (key->domain > map->domain_count)
            map->domain_count = key->domain;
    }
    if (map->name_count > 0)
        qsort(map->names, map->name_count, sizeof(*map->names), compare_names);
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        RH_PANIC("out of memory for generated values (%zu bytes)", count * size);
    return memory;
}

struct id_map *rh_id_map_new(const struct workload_key *keys, size_t count)
{
    if (count == 0)
        return NULL;
    struct id_map *map = allocate(1, sizeof(*map));
    map->keys = keys;
    map->key_count = count;
    map->names = allocate(count, sizeof(*map->names));
    add_names(map);
    map->since = allocate((size_t)map->domain_count + 1, sizeof(*map->since));
    for (size_t i = 0; i < count; i++)
        map->since[keys[i].domain] = keys[i].since;
    return map;
}

void rh_id_map_free(struct id_map *map)
{
    if (!map)
        return;
    free(map->names);
    free(map->since);
    free(map->entries);
    free(map->chains);
    free(map);
}

static bool is_text(struct text text, const char *string)
{
    return rh_text_is(text, string);
}

/* The first name of this table and column. */
static size_t first_name(const struct id_map *map, struct text table, const char *column)
{
    size_t low = 0, high = map->name_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct named *it = &map->names[middle];
        int sign = strncmp(it->table, table.data, table.len);
        if (sign == 0)
            sign = it->table[table.len] ? 1 : strcmp(it->column, column);
        if (sign < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Several of one name, in other schemas, count when they are of one domain. */
static bool agree(uint32_t *domain, uint32_t other)
{
    bool is_same = *domain == 0 || *domain == other;
    *domain = is_same ? other : 0;
    return is_same;
}

uint32_t rh_id_map_domain_of_column(const struct id_map *map, const char *column)
{
    const char *dot = strrchr(column, '.');
    uint32_t domain = 0;
    if (!dot) {
        for (size_t i = 0; i < map->name_count; i++)
            if (strcmp(map->names[i].column, column) == 0 && !agree(&domain, map->names[i].domain))
                return 0;
        return domain;
    }
    struct text table = {column, (size_t)(dot - column)}, schema = {"", 0};
    const char *before = memrchr(table.data, '.', table.len);
    if (before) {
        schema = (struct text){table.data, (size_t)(before - table.data)};
        table = (struct text){before + 1, (size_t)(dot - before - 1)};
    }
    for (size_t i = first_name(map, table, dot + 1);
         i < map->name_count && is_text(table, map->names[i].table) &&
         strcmp(map->names[i].column, dot + 1) == 0;
         i++)
        if ((!before || is_text(schema, map->names[i].schema)) &&
            !agree(&domain, map->names[i].domain))
            return 0;
    return domain;
}

uint32_t rh_id_map_domain_of_table(const struct id_map *map, const char *table)
{
    const char *dot = strrchr(table, '.');
    struct text name = rh_text(dot ? dot + 1 : table);
    struct text schema = {table, dot ? (size_t)(dot - table) : 0};
    uint32_t domain = 0;
    for (size_t i = first_name(map, name, "");
         i < map->name_count && is_text(name, map->names[i].table); i++)
        if (map->names[i].has_sequence && (!dot || is_text(schema, map->names[i].schema)) &&
            !agree(&domain, map->names[i].domain))
            return 0;
    return domain;
}

uint32_t rh_id_map_domain_of_key(const struct id_map *map, uint32_t key)
{
    return key > 0 && key <= map->key_count ? map->keys[key - 1].domain : 0;
}

/* --- entries ---------------------------------------------------------------------------------- */

static uint32_t *chain_of(const struct id_map *map, uint32_t domain, const struct id_value *value)
{
    uint64_t hash = (value->low ^ value->high * 31 ^ (uint64_t)domain << 40) *
                    UINT64_C(0x9E3779B97F4A7C15);
    return &map->chains[hash >> 24 & (map->chain_count - 1)];
}

static struct entry *find(const struct id_map *map, uint32_t domain, const struct id_value *value)
{
    if (map->entry_count == 0)
        return NULL;
    for (uint32_t at = *chain_of(map, domain, value); at; at = map->entries[at - 1].next) {
        struct entry *it = &map->entries[at - 1];
        if (it->domain == domain && it->value.low == value->low && it->value.high == value->high &&
            it->value.is_uuid == value->is_uuid)
            return it;
    }
    return NULL;
}

static void link_entry(struct id_map *map, size_t index)
{
    struct entry *entry = &map->entries[index];
    uint32_t *chain = chain_of(map, entry->domain, &entry->value);
    entry->next = *chain;
    *chain = (uint32_t)index + 1;
}

static void unlink_entry(struct id_map *map, size_t index)
{
    struct entry *entry = &map->entries[index];
    uint32_t *place = chain_of(map, entry->domain, &entry->value);
    while (*place != index + 1)
        place = &map->entries[*place - 1].next;
    *place = entry->next;
}

static void grow(struct id_map *map)
{
    size_t capacity = map->entry_capacity ? 2 * map->entry_capacity : 1024;
    map->entries = realloc(map->entries, capacity * sizeof(*map->entries));
    if (!map->entries)
        RH_PANIC("out of memory for generated values");
    map->entry_capacity = capacity;
    free(map->chains);
    map->chains = allocate(capacity, sizeof(*map->chains));
    map->chain_count = capacity;
    for (size_t i = 0; i < map->entry_count; i++)
        link_entry(map, i);
}

static struct entry *add(struct id_map *map, uint32_t domain, const struct id_value *value)
{
    size_t index = map->entry_count;
    if (map->entry_count < ID_MAP_MAX) {
        if (map->entry_count == map->entry_capacity)
            grow(map);
        map->entry_count++;
    } else {
        index = map->oldest;
        map->oldest = (map->oldest + 1) % ID_MAP_MAX;
        unlink_entry(map, index);
    }
    map->entries[index] = (struct entry){.value = *value, .domain = domain};
    link_entry(map, index);
    return &map->entries[index];
}

void rh_id_map_expect(struct id_map *map, uint32_t domain, const struct id_value *value)
{
    struct entry *entry = find(map, domain, value);
    if (!entry)
        entry = add(map, domain, value);
    if (entry->state != ID_KNOWN)
        entry->state = ID_EXPECTED;
}

bool rh_id_map_set(struct id_map *map, uint32_t domain, const struct id_value *value,
                   const struct id_value *replayed)
{
    struct entry *entry = find(map, domain, value);
    if (!entry || entry->state == ID_KNOWN)
        return false;
    entry->replayed = *replayed;
    entry->state = ID_KNOWN;
    return true;
}

bool rh_id_map_lose(struct id_map *map, uint32_t domain, const struct id_value *value)
{
    struct entry *entry = find(map, domain, value);
    if (!entry || entry->state != ID_EXPECTED)
        return false;
    entry->state = ID_LOST;
    return true;
}

enum id_state rh_id_map_find(const struct id_map *map, uint32_t domain,
                             const struct id_value *value, struct id_value *ret_replayed)
{
    const struct entry *entry = find(map, domain, value);
    if (entry && entry->state == ID_KNOWN)
        *ret_replayed = entry->replayed;
    return entry ? entry->state : ID_NONE;
}

bool rh_id_map_is_new(const struct id_map *map, uint32_t domain, const struct id_value *value)
{
    return !value->is_uuid && domain <= map->domain_count &&
           map->since[domain] != WORKLOAD_SINCE_UNKNOWN && (int64_t)value->low > map->since[domain];
}
