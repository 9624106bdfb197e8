/* Types by the rules that they take. */
#include "mask/masking_int.h"

#define TAKES(rule) (1u << (rule))
#define TAKES_ALWAYS (TAKES(MASK_KEEP) | TAKES(MASK_FIXED) | TAKES(MASK_NULL))

static const struct {
    const char *name;
    enum mask_rule rule; /* of what nobody classified */
    unsigned rules;      /* besides keep, fixed and null */
} families[] = {
    [FAMILY_TEXT] = {"text", MASK_TEXT,
                     TAKES(MASK_TEXT) | TAKES(MASK_EMAIL) | TAKES(MASK_URL) | TAKES(MASK_PHONE) |
                         TAKES(MASK_UUID) | TAKES(MASK_CARD) | TAKES(MASK_IBAN) |
                         TAKES(MASK_FREE_TEXT) | TAKES(MASK_JSON) | TAKES(MASK_XML) |
                         TAKES(MASK_HASH) | TAKES(MASK_WORDS) | TAKES(MASK_DATE) |
                         TAKES(MASK_INET) | TAKES(MASK_MACADDR)},
    [FAMILY_NUMBER] = {"a number", MASK_KEEP, TAKES(MASK_NUMBER) | TAKES(MASK_NOISE)},
    [FAMILY_TIME] = {"a date or timestamp", MASK_KEEP, TAKES(MASK_DATE) | TAKES(MASK_NOISE)},
    [FAMILY_UUID] = {"a uuid", MASK_UUID, TAKES(MASK_UUID)},
    [FAMILY_JSON] = {"JSON", MASK_JSON, TAKES(MASK_JSON)},
    [FAMILY_XML] = {"XML", MASK_XML, TAKES(MASK_XML)},
    [FAMILY_HSTORE] = {"hstore", MASK_HSTORE, TAKES(MASK_HSTORE)},
    [FAMILY_TSVECTOR] = {"a tsvector", MASK_TSVECTOR, TAKES(MASK_TSVECTOR)},
    [FAMILY_BYTES] = {"bytes or bits", MASK_BYTES, TAKES(MASK_BYTES)},
    [FAMILY_INET] = {"a network address", MASK_INET, TAKES(MASK_INET)},
    [FAMILY_MACADDR] = {"a hardware address", MASK_MACADDR, TAKES(MASK_MACADDR)},
    [FAMILY_POINT] = {"a geometric type", MASK_KEEP, 0},
    [FAMILY_MONEY] = {"money", MASK_KEEP, 0},
    [FAMILY_RANGE] = {"a range of its own kind", MASK_KEEP, 0},
    [FAMILY_PLAIN] = {"a plain type", MASK_KEEP, 0},
    [FAMILY_COMPOSITE] = {"a composite type", MASK_TEXT, TAKES(MASK_TEXT)},
    [FAMILY_UNKNOWN] = {"a type that is not known here", MASK_NULL, 0},
};

/* What pg_catalog names; what is neither here nor below is plain (oid, pg_lsn, regclass and
 * their like). */
static const struct {
    const char *type;
    enum type_family family;
} types[] = {
    {"text", FAMILY_TEXT},        {"varchar", FAMILY_TEXT},     {"bpchar", FAMILY_TEXT},
    {"name", FAMILY_TEXT},        {"char", FAMILY_TEXT},        {"jsonpath", FAMILY_UNKNOWN},
    {"int2", FAMILY_NUMBER},      {"int4", FAMILY_NUMBER},      {"int8", FAMILY_NUMBER},
    {"numeric", FAMILY_NUMBER},   {"float4", FAMILY_NUMBER},    {"float8", FAMILY_NUMBER},
    {"money", FAMILY_MONEY},      {"date", FAMILY_TIME},        {"timestamp", FAMILY_TIME},
    {"timestamptz", FAMILY_TIME}, {"uuid", FAMILY_UUID},        {"json", FAMILY_JSON},
    {"jsonb", FAMILY_JSON},       {"xml", FAMILY_XML},          {"tsvector", FAMILY_TSVECTOR},
    {"tsquery", FAMILY_UNKNOWN},  {"bytea", FAMILY_BYTES},      {"bit", FAMILY_BYTES},
    {"varbit", FAMILY_BYTES},     {"inet", FAMILY_INET},        {"cidr", FAMILY_INET},
    {"macaddr", FAMILY_MACADDR},  {"macaddr8", FAMILY_MACADDR}, {"point", FAMILY_POINT},
    {"line", FAMILY_POINT},       {"lseg", FAMILY_POINT},       {"box", FAMILY_POINT},
    {"path", FAMILY_POINT},       {"polygon", FAMILY_POINT},    {"circle", FAMILY_POINT},
    {"unknown", FAMILY_UNKNOWN},
};

/* Of extensions, in whatever schema. */
static enum type_family of_extension(const char *type)
{
    const char *dot = strrchr(type, '.');
    const char *name = dot ? dot + 1 : type;

    if (strcmp(name, "citext") == 0)
        return FAMILY_TEXT;
    return strcmp(name, "hstore") == 0 ? FAMILY_HSTORE : FAMILY_UNKNOWN;
}

static enum type_family family_of(const char *type, char kind,
                                  const struct catalog_attribute *attributes, size_t count)
{
    if (kind == 'e')
        return FAMILY_PLAIN;
    if (kind == 'r' || kind == 'm') {
        enum type_family inner = count == 1 ? rh_mask_attribute_family(&attributes[0])
                                            : FAMILY_UNKNOWN;
        bool is_ordered = inner == FAMILY_NUMBER || inner == FAMILY_TIME;
        if (is_ordered && !strchr(type, '.'))
            return inner; /* the server's own: each bound by the rule of its element */
        if (is_ordered || inner == FAMILY_MONEY)
            return FAMILY_RANGE;
        return inner == FAMILY_PLAIN ? FAMILY_PLAIN : FAMILY_UNKNOWN;
    }
    if (kind == 'c') {
        bool is_plain = count > 0;
        for (size_t i = 0; i < count; i++) {
            enum type_family inner = rh_mask_attribute_family(&attributes[i]);
            if (inner == FAMILY_UNKNOWN)
                return FAMILY_UNKNOWN;
            is_plain = is_plain && rh_mask_attribute_rule(&attributes[i]) == MASK_KEEP;
        }
        return count == 0 ? FAMILY_UNKNOWN : is_plain ? FAMILY_PLAIN : FAMILY_COMPOSITE;
    }
    if (strchr(type, '.'))
        return of_extension(type);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].type, type) == 0)
            return types[i].family;
    return FAMILY_PLAIN;
}

enum type_family rh_mask_family(const struct catalog_column *column)
{
    return family_of(column->base_type, column->type_kind, column->attributes.items,
                     column->attributes.count);
}

enum type_family rh_mask_attribute_family(const struct catalog_attribute *attribute)
{
    return family_of(attribute->base_type, attribute->type_kind, attribute->attributes.items,
                     attribute->attributes.count);
}

enum mask_rule rh_mask_attribute_rule(const struct catalog_attribute *attribute)
{
    enum type_family family = rh_mask_attribute_family(attribute);
    enum mask_rule rule = rh_detect_rule(rh_detect_name("", attribute->name), family);

    if (rule != MASK_KEEP || family == FAMILY_UUID)
        return rule;
    return rh_mask_family_rule(family);
}

enum mask_rule rh_mask_family_rule(enum type_family family)
{
    return families[family].rule;
}

bool rh_mask_rule_fits(enum mask_rule rule, enum type_family family)
{
    return ((families[family].rules | TAKES_ALWAYS) & TAKES(rule)) != 0;
}

const char *rh_mask_family_name(enum type_family family)
{
    return families[family].name;
}

const char *rh_mask_family_rules(enum type_family family, struct arena *arena)
{
    struct buf list RH_CLEANUP_BUF;

    rh_buf_init(&list, 1024);
    for (int rule = 0; rule < MASK_RULE_COUNT; rule++)
        if (rh_mask_rule_fits((enum mask_rule)rule, family))
            rh_buf_printf(&list, "%s%s", list.len > 0 ? ", " : "",
                          rh_mask_rule_name((enum mask_rule)rule));
    return rh_text_dup(arena, rh_buf_text(&list));
}
