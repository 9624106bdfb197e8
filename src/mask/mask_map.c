#include "mask/mask_int.h"

#include <openssl/crypto.h>

/* A kept value is no longer (mask_kept.c): so much of a stream is held back to tell. Bytes. */
#define STREAM_HEAD_BYTES MASK_KEPT_MAX_BYTES

static void keep_all(struct mask_map *map, const struct text *values, size_t count,
                     struct arena *scratch, struct text *ret_masked)
{
    (void)map;
    (void)scratch;
    memcpy(ret_masked, values, count * sizeof(*values));
}

static void keep_begin(struct mask_map *map, void *state)
{
    (void)map;
    (void)state;
}

static void keep_feed(struct mask_map *map, void *state, struct text part, struct buf *out)
{
    (void)map;
    (void)state;
    rh_buf_add_text(out, part);
}

static void keep_finish(struct mask_map *map, void *state, struct buf *out)
{
    (void)map;
    (void)state;
    (void)out;
}

static const struct mask_kind keep_kind = {
    .is_structured = true,
    .takes_any_type = true,
    .apply = keep_all,
    .stream_bytes = 1, /* something that says there is one */
    .stream_begin = keep_begin,
    .stream_feed = keep_feed,
    .stream_finish = keep_finish,
};

/* Value by value through the text core, with no look at kept values. */
static void mask_as_text(struct mask_map *map, const struct text *values, size_t count,
                         struct arena *scratch, struct text *ret_masked)
{
    struct text_item *items = rh_arena_alloc_array(scratch, count, sizeof(*items));

    for (size_t i = 0; i < count; i++) {
        char *out = rh_arena_alloc(scratch, values[i].len + 1);
        items[i] = (struct text_item){values[i].data, out, values[i].len, NULL};
        ret_masked[i] = (struct text){out, values[i].len};
    }
    rh_text_core_map(map->core, items, count);
}

const struct mask_kind rh_mask_text = {.apply = mask_as_text};

// clang-format off
static const struct mask_kind *const kinds[MASK_RULE_COUNT] = {
    [MASK_KEEP] = &keep_kind,          [MASK_TEXT] = &rh_mask_text,
    [MASK_EMAIL] = &rh_mask_email,     [MASK_URL] = &rh_mask_url,
    [MASK_PHONE] = &rh_mask_phone,     [MASK_UUID] = &rh_mask_uuid,
    [MASK_CARD] = &rh_mask_card,       [MASK_IBAN] = &rh_mask_iban,
    [MASK_BYTES] = &rh_mask_bytes,     [MASK_INET] = &rh_mask_inet,
    [MASK_MACADDR] = &rh_mask_macaddr, [MASK_DATE] = &rh_mask_date,
    [MASK_NUMBER] = &rh_mask_number,   [MASK_FIXED] = &rh_mask_fixed,
    [MASK_NULL] = &rh_mask_null,       [MASK_HASH] = &rh_mask_hash,
    [MASK_NOISE] = &rh_mask_noise,     [MASK_WORDS] = &rh_mask_words,
    [MASK_JSON] = &rh_mask_json,       [MASK_XML] = &rh_mask_xml,
    [MASK_HSTORE] = &rh_mask_hstore,   [MASK_TSVECTOR] = &rh_mask_tsvector,
    [MASK_FREE_TEXT] = &rh_mask_free_text,
};
// clang-format on

/* ---- construction ---------------------------------------------------------------------------- */

bool rh_mask_type_is_text(const char *type)
{
    static const char *const types[] = {"text", "varchar", "bpchar", "name", "citext", "char"};
    if (!type)
        return true;
    /* An extension's type has its schema in front. */
    const char *dot = strrchr(type, '.');
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(dot ? dot + 1 : type, types[i]) == 0)
            return !dot || strcmp(types[i], "citext") == 0;
    return false;
}

enum err_code rh_mask_refuse(const struct mask_map *map, const char *instead, struct err *err)
{
    rh_err_set(err, RH_ERR_USAGE, "cannot mask values of type \"%s\" by rule \"%s\"",
               map->options.type ? map->options.type : "text",
               rh_mask_rule_name(map->options.rule));
    rh_err_hint(err, "%s", instead);
    return RH_ERR_USAGE;
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Server encodings of PostgreSQL (manual, table 24.3): those of several bytes beside UTF-8 have a
   grammar that moving bytes would break. */
static enum err_code check_encoding(const char *encoding, bool *ret_is_single_byte, struct err *err)
{
    static const char *const utf8[] = {"UTF8", "SQL_ASCII"};
    static const char *const several[] = {"EUC_CN", "EUC_JP", "EUC_JIS_2004",
                                          "EUC_KR", "EUC_TW", "MULE_INTERNAL"};
    *ret_is_single_byte = false;
    if (!encoding || is_one_of(encoding, utf8, sizeof(utf8) / sizeof(utf8[0])))
        return RH_OK;
    if (is_one_of(encoding, several, sizeof(several) / sizeof(several[0]))) {
        rh_err_set(err, RH_ERR_USAGE, "cannot mask text in encoding \"%s\"", encoding);
        rh_err_hint(err, "Masking knows UTF8 and the single-byte encodings.");
        return RH_ERR_USAGE;
    }
    *ret_is_single_byte = true;
    return RH_OK;
}

static const char *copied(struct arena *arena, const char *s)
{
    return s ? rh_arena_strdup(arena, s) : NULL;
}

static struct mask_map_options copy_options(const struct mask_map_options *options,
                                            struct arena *arena)
{
    struct mask_map_options copy = *options;

    copy.domain = copied(arena, options->domain ? options->domain : "");
    copy.type = copied(arena, options->type);
    copy.parameter = copied(arena, options->parameter);
    copy.encoding = copied(arena, options->encoding);
    struct mask_map_options *attributes = rh_arena_alloc_array(arena, options->attribute_count,
                                                               sizeof(*attributes));
    for (size_t i = 0; i < options->attribute_count; i++)
        attributes[i] = copy_options(&options->attributes[i], arena);
    copy.attributes = attributes;
    struct mask_path *paths = rh_arena_alloc_array(arena, options->path_count, sizeof(*paths));
    for (size_t i = 0; i < options->path_count; i++)
        paths[i] = (struct mask_path){
            .path = copied(arena, options->paths[i].path),
            .rule = options->paths[i].rule,
            .domain = copied(arena, options->paths[i].domain),
        };
    copy.paths = paths;
    const char **kept = rh_arena_alloc_array(arena, options->kept_value_count, sizeof(*kept));
    for (size_t i = 0; i < options->kept_value_count; i++)
        kept[i] = copied(arena, options->kept_values[i]);
    copy.kept_values = kept;
    return copy;
}

static void forget_keys(struct mask_map_options *options)
{
    options->key = NULL;
    for (size_t i = 0; i < options->attribute_count; i++)
        forget_keys((struct mask_map_options *)&options->attributes[i]);
}

static enum err_code open_kind(struct mask_map *map, struct arena *arena, struct err *err)
{
    if (!map->kind)
        return rh_mask_refuse(map, "Use rule \"text\", \"fixed\", \"null\" or \"keep\".", err);
    if (map->kind->open)
        return map->kind->open(map, arena, err);
    if (map->kind->takes_any_type || rh_mask_type_is_text(map->options.type))
        return RH_OK;
    return rh_mask_refuse(
        map, "This rule is for text; \"keep\", \"null\" and \"fixed\" are for every type.", err);
}

enum err_code rh_mask_map_new(const struct mask_map_options *options, struct arena *arena,
                              struct mask_map **ret_map, struct err *err)
{
    bool is_single_byte;
    enum err_code code = check_encoding(options->encoding, &is_single_byte, err);
    if (code)
        return code;
    struct mask_map *map = RH_NEW(arena, struct mask_map);
    map->options = copy_options(options, arena);
    map->kind = rh_mask_structure(options);
    if (!map->kind)
        map->kind = kinds[options->rule];
    map->core = rh_text_core_new(options->key, map->options.domain, is_single_byte, arena);
    map->kept = rh_kept_values_new(map->options.kept_values, options->kept_value_count, arena);
    code = open_kind(map, arena, err);
    forget_keys(&map->options);
    if (code) {
        rh_mask_map_free(map);
        return code;
    }
    *ret_map = map;
    return RH_OK;
}

void rh_mask_map_free(struct mask_map *map)
{
    if (!map)
        return;
    if (map->kind && map->kind->close)
        map->kind->close(map);
    rh_text_core_free(map->core);
    map->core = NULL;
}

/* ---- values ---------------------------------------------------------------------------------- */

bool rh_mask_map_keeps(const struct mask_map *map, struct text value)
{
    return rh_kept_values_has(map->kept, value);
}

/* Values of a batch that go the same way, and where each belongs. */
struct group {
    struct text *values;
    size_t *places, count;
};

static struct group group_new(struct arena *scratch, size_t count)
{
    return (struct group){
        .values = rh_arena_alloc_array(scratch, count, sizeof(struct text)),
        .places = rh_arena_alloc_array(scratch, count, sizeof(size_t)),
    };
}

static void group_add(struct group *group, struct text value, size_t place)
{
    group->values[group->count] = value;
    group->places[group->count++] = place;
}

/* Whether a pseudonym has to be mapped again: it stands for a value that passes, or (of text that
   the rule could not read) for one that the rule reads. */
static bool goes_on(const struct mask_map *map, struct text masked, bool as_text)
{
    if (rh_mask_map_keeps(map, masked))
        return true;
    return as_text && map->kind->reads && map->kind->reads(map, masked);
}

static void map_group(struct mask_map *map, struct group *group, bool as_text,
                      struct arena *scratch, struct text *ret_masked)
{
    const bool is_injective = rh_mask_rule_is_injective(map->options.rule);
    struct text *masked = rh_arena_alloc_array(scratch, group->count, sizeof(*masked));

    while (group->count > 0) {
        (as_text ? mask_as_text : map->kind->apply)(map, group->values, group->count, scratch,
                                                    masked);
        size_t again = 0;
        for (size_t i = 0; i < group->count; i++) {
            if ((is_injective || as_text) && goes_on(map, masked[i], as_text)) {
                group->places[again] = group->places[i];
                group->values[again++] = masked[i];
            } else {
                ret_masked[group->places[i]] = masked[i];
            }
        }
        group->count = again;
    }
}

static void apply_scalar(struct mask_map *map, const struct text *values, size_t count,
                         struct arena *scratch, struct text *ret_masked)
{
    struct group own = group_new(scratch, count), other = group_new(scratch, count);

    for (size_t i = 0; i < count; i++) {
        if (rh_mask_map_keeps(map, values[i]))
            ret_masked[i] = values[i];
        else if (!map->kind->reads || map->kind->reads(map, values[i]))
            group_add(&own, values[i], i);
        else
            group_add(&other, values[i], i);
    }
    map_group(map, &own, false, scratch, ret_masked);
    map_group(map, &other, true, scratch, ret_masked);
}

/* char(n): the blanks that fill it are no part of the value, and come back behind its pseudonym. */
static void apply_padded(struct mask_map *map, const struct text *values, size_t count,
                         struct arena *scratch, struct text *ret_masked)
{
    struct text *trimmed = rh_arena_alloc_array(scratch, count, sizeof(*trimmed));

    for (size_t i = 0; i < count; i++) {
        trimmed[i] = values[i];
        while (trimmed[i].len > 0 && trimmed[i].data[trimmed[i].len - 1] == ' ')
            trimmed[i].len--;
    }
    apply_scalar(map, trimmed, count, scratch, ret_masked);
    for (size_t i = 0; i < count; i++) {
        const size_t blanks = values[i].len - trimmed[i].len;
        if (blanks == 0)
            continue;
        char *out = rh_arena_alloc(scratch, ret_masked[i].len + blanks);
        memcpy(out, ret_masked[i].data, ret_masked[i].len);
        memset(out + ret_masked[i].len, ' ', blanks);
        ret_masked[i] = (struct text){out, ret_masked[i].len + blanks};
    }
}

void rh_mask_map_apply(struct mask_map *map, const struct text *values, size_t count,
                       struct arena *scratch, struct text *ret_masked)
{
    const char *type = map->options.type;

    if (map->kind->is_structured)
        map->kind->apply(map, values, count, scratch, ret_masked);
    else if (type && strcmp(type, "bpchar") == 0 && rh_mask_rule_keeps_length(map->options.rule))
        apply_padded(map, values, count, scratch, ret_masked);
    else
        apply_scalar(map, values, count, scratch, ret_masked);
}

/* ---- one large value ------------------------------------------------------------------------- */

struct mask_stream {
    struct mask_map *map;
    void *own; /* of the kind; NULL: as text */
    struct text_state state;
    struct buf head; /* held back until it is sure that the value is none that passes */
    bool is_flowing;
};

struct mask_stream *rh_mask_stream_new(struct mask_map *map)
{
    struct mask_stream *stream = calloc(1, sizeof(*stream));
    if (!stream)
        RH_PANIC("out of memory");
    stream->map = map;
    if (map->kind->stream_begin) {
        stream->own = calloc(1, map->kind->stream_bytes);
        if (!stream->own)
            RH_PANIC("out of memory");
        map->kind->stream_begin(map, stream->own);
        return stream;
    }
    rh_buf_init(&stream->head, STREAM_HEAD_BYTES + 1);
    rh_text_state_begin(map->core, &stream->state);
    return stream;
}

void rh_mask_stream_free(struct mask_stream *stream)
{
    if (!stream)
        return;
    if (stream->own) {
        if (stream->map->kind->stream_free)
            stream->map->kind->stream_free(stream->own);
        OPENSSL_cleanse(stream->own, stream->map->kind->stream_bytes);
        free(stream->own);
    }
    rh_buf_deinit(&stream->head);
    OPENSSL_cleanse(stream, sizeof(*stream));
    free(stream);
}

void rh_mask_stream_feed(struct mask_stream *stream, struct text part, struct buf *out)
{
    if (stream->own) {
        stream->map->kind->stream_feed(stream->map, stream->own, part, out);
        return;
    }
    if (!stream->is_flowing) {
        const size_t room = STREAM_HEAD_BYTES + 1 - stream->head.len;
        const size_t taken = part.len < room ? part.len : room;
        rh_buf_add(&stream->head, part.data, taken);
        part.data += taken;
        part.len -= taken;
        if (stream->head.len <= STREAM_HEAD_BYTES)
            return;
        stream->is_flowing = true;
        rh_text_state_feed(stream->map->core, &stream->state, rh_buf_text(&stream->head), out);
        rh_buf_clear(&stream->head);
    }
    rh_text_state_feed(stream->map->core, &stream->state, part, out);
}

void rh_mask_stream_finish(struct mask_stream *stream, struct buf *out)
{
    if (stream->own) {
        stream->map->kind->stream_finish(stream->map, stream->own, out);
    } else if (stream->is_flowing) {
        rh_text_state_finish(stream->map->core, &stream->state, out);
    } else {
        RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
        const struct text head = rh_buf_text(&stream->head);
        struct text masked;
        rh_mask_map_apply(stream->map, &head, 1, scratch, &masked);
        rh_buf_add_text(out, masked);
    }
}
