/*
 * XML: the text between tags, values of attributes, comments, CDATA, data of processing
 * instructions and literals of a DOCTYPE are masked. Names of elements and attributes stay, and so
 * do declarations of namespaces, xml:lang and the like, and entities that are not XML's own five.
 */
#include "mask/mask_character.h"
#include "mask/mask_leaf_kinds.h"

/* Longer names of entities are text. */
#define ENTITY_MAX ((size_t)64)
/* The longest name of an encoding that IANA has registered has 45 bytes. */
#define ENCODING_MAX ((size_t)45)

enum xml_form {
    FORM_TEXT,
    FORM_APOSTROPHES, /* the value of an attribute */
    FORM_QUOTES,
    FORM_CDATA, /* nothing is an entity from here on */
    FORM_COMMENT,
    FORM_INSTRUCTION,
    FORM_LITERAL_APOSTROPHES, /* of a DOCTYPE */
    FORM_LITERAL_QUOTES,
};

struct xml {
    struct mask_map *kinds[LEAF_KIND_COUNT];
    bool is_single_byte;
};

struct xml_state {
    enum { IN_TEXT, IN_TAG, IN_VALUE, IN_DOCTYPE } phase;
    enum xml_form form;              /* of the value */
    bool is_begun;                   /* something was walked */
    bool keeps_value;                /* of the attribute at hand */
    bool behind_name, behind_equals; /* of an attribute */
    enum { TAG_OPENS, TAG_CLOSES, TAG_IS_EMPTY } tag;
    size_t depth; /* elements that are open */
    int brackets; /* of a DOCTYPE */
    int words;    /* of it, outside of brackets and literals */
};

static void begin(const void *own, void *state_memory)
{
    (void)own;
    *(struct xml_state *)state_memory = (struct xml_state){.phase = IN_TEXT};
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
    return c != '=' && c != '>' && c != '/' && c != '<' && c != '"' && c != '\'' && !is_space(c);
}

/* What may stand in a name, beside characters beyond ASCII. */
static bool is_name_byte(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
           c == ':' || c == '.' || c == '-' || (unsigned char)c >= 0x80;
}

static bool is_whole_name(struct text name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_byte(name.data[i]))
            return false;
    return name.len > 0;
}

/* The end of the name that may begin at `at`. */
static size_t name_end(struct text source, size_t at)
{
    while (at < source.len && is_name(source.data[at]))
        at++;
    return at;
}

/* Where `what` begins from `at` on; source.len: nowhere. */
static size_t find(struct text source, size_t at, const char *what)
{
    const char *found = at < source.len
                            ? memmem(source.data + at, source.len - at, what, strlen(what))
                            : NULL;
    return found != NULL ? (size_t)(found - source.data) : source.len;
}

static bool stands(struct text source, size_t at, const char *what)
{
    size_t len = strlen(what);
    return source.len - at >= len && memcmp(source.data + at, what, len) == 0;
}

/* An entity at `at` that has a character of its own: its length, and the character; 0: none. */
static size_t read_entity(struct text source, size_t at, uint32_t *ret_point)
{
    static const struct {
        const char *text;
        char c;
    } known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (stands(source, at, known[i].text)) {
            *ret_point = (unsigned char)known[i].c;
            return strlen(known[i].text);
        }
    if (!stands(source, at, "&#"))
        return 0;
    bool is_hex = at + 2 < source.len && source.data[at + 2] == 'x';
    size_t i = at + (is_hex ? 3 : 2), first = i;
    uint32_t point = 0;
    for (; i < source.len && i - first < 8; i++) {
        char c = source.data[i], folded = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            point = point * (is_hex ? 16 : 10) + (uint32_t)(c - '0');
        else if (is_hex && folded >= 'a' && folded <= 'f')
            point = point * 16 + (uint32_t)(folded - 'a' + 10);
        else
            break;
    }
    if (i == first || i >= source.len || source.data[i] != ';' || point == 0 || point > 0x10ffff)
        return 0;
    *ret_point = point;
    return i + 1 - at;
}

static const char *closing(unsigned form)
{
    static const char *const texts[] = {
        [FORM_TEXT] = "<",
        [FORM_APOSTROPHES] = "'",
        [FORM_QUOTES] = "\"",
        [FORM_CDATA] = "]]>",
        [FORM_COMMENT] = "-->",
        [FORM_INSTRUCTION] = "?>",
        [FORM_LITERAL_APOSTROPHES] = "'",
        [FORM_LITERAL_QUOTES] = "\"",
    };
    return texts[form];
}

static void leave_value(struct xml_state *state)
{
    bool is_literal = state->form == FORM_LITERAL_APOSTROPHES || state->form == FORM_LITERAL_QUOTES;
    state->phase = is_literal ? IN_DOCTYPE : IN_TAG;
}

/* --- the walk --------------------------------------------------------------------------------- */

/* Bytes of an entity of the document's own at `at`; an ampersand that begins none stands alone. */
static size_t own_entity_bytes(struct text source, size_t at)
{
    size_t end = at + 1;
    while (end < source.len && end - at < ENTITY_MAX && is_name_byte(source.data[end]))
        end++;
    return end < source.len && source.data[end] == ';' ? end + 1 - at : 1;
}

/* The end of a run of text from `at` on, which ends before `stop` and before an entity of the
   document's own; false: it is not here. */
static bool text_end(struct text source, size_t at, char stop, bool at_end, size_t *ret_end,
                     bool *ret_escapes)
{
    *ret_escapes = false;
    for (; at < source.len; at++) {
        char c = source.data[at];
        if (c == stop)
            break;
        if (c != '&')
            continue;
        uint32_t point;
        size_t len = read_entity(source, at, &point);
        if (len == 0) {
            if (!at_end && source.len - at < ENTITY_MAX)
                return false; /* it may be one yet */
            break;
        }
        *ret_escapes = true;
        at += len - 1;
    }
    *ret_end = at;
    return at < source.len || at_end;
}

static enum leaf_step found(const struct xml *xml, struct text source, struct leaf *leaf)
{
    struct text inner = {source.data + leaf->start, leaf->end - leaf->start};
    leaf->map = leaf->has_escapes ? LEAF_TEXT : (unsigned)rh_leaf_kind(xml->kinds, inner);
    if (leaf->map == LEAF_DATE)
        leaf->close = leaf->end = leaf->start + LEAF_DATE_BYTES;
    return LEAF_FOUND;
}

/* Text without the white space around it; false: there is nothing but that. */
static bool trim(struct text source, struct leaf *leaf)
{
    while (leaf->start < leaf->end && is_space(source.data[leaf->start]))
        leaf->start++;
    while (leaf->end > leaf->start && is_space(source.data[leaf->end - 1]))
        leaf->end--;
    leaf->open = leaf->start;
    leaf->close = leaf->end;
    return leaf->end > leaf->start;
}

/* Names of a declaration's attributes, and what their values may consist of. */
static bool is_declared(struct text name, struct text value)
{
    if (rh_text_is(name, "version"))
        return rh_text_is(value, "1.0") || rh_text_is(value, "1.1");
    if (rh_text_is(name, "standalone"))
        return rh_text_is(value, "yes") || rh_text_is(value, "no");
    return rh_text_is(name, "encoding") && value.len <= ENCODING_MAX && is_whole_name(value);
}

/* Whether this, behind "<?xml" and before "?>", is an XML declaration's: it stays. */
static bool is_declaration(struct text inner)
{
    for (size_t at = 0;;) {
        size_t start = at;
        while (at < inner.len && is_space(inner.data[at]))
            at++;
        if (at == inner.len)
            return true;
        size_t end = name_end(inner, at), quote = end + 1;
        if (at == start || quote >= inner.len || inner.data[end] != '=' ||
            (inner.data[quote] != '"' && inner.data[quote] != '\''))
            return false;
        const char mark[] = {inner.data[quote], '\0'};
        size_t close = find(inner, quote + 1, mark);
        if (close == inner.len ||
            !is_declared((struct text){inner.data + at, end - at},
                         (struct text){inner.data + quote + 1, close - quote - 1}))
            return false;
        at = close + 1;
    }
}

/* What begins with `opening` and ends with `closing`, at *at. */
static enum leaf_step walk_section(const struct xml *xml, const struct xml_state *state,
                                   struct text source, size_t *at, bool at_end, size_t opening,
                                   enum xml_form form, struct leaf *leaf, bool *ret_found)
{
    size_t end = find(source, *at + opening, closing(form));
    *ret_found = true;
    if (end == source.len)
        return at_end ? LEAF_BROKEN : LEAF_MORE;
    *leaf = (struct leaf){.start = *at + opening, .end = end, .form = form};
    if (form == FORM_INSTRUCTION) {
        while (leaf->start < end && !is_space(source.data[leaf->start]))
            leaf->start++;
        struct text target = {source.data + *at + opening, leaf->start - *at - opening};
        if (!is_whole_name(target))
            return LEAF_BROKEN;
        if (rh_text_is(target, "xml")) {
            struct text inner = {source.data + leaf->start, end - leaf->start};
            if (state->is_begun || !is_declaration(inner))
                return LEAF_BROKEN;
            leaf->start = end;
        }
    }
    *at = end + strlen(closing(form));
    *ret_found = trim(source, leaf);
    return *ret_found ? found(xml, source, leaf) : LEAF_FOUND;
}

/* Markup at *at, which is "<". */
static enum leaf_step walk_markup(const struct xml *xml, struct xml_state *state,
                                  struct text source, size_t *at, bool at_end, struct leaf *leaf,
                                  bool *ret_found)
{
    *ret_found = true;
    if (source.len - *at < strlen("<!DOCTYPE ") && !at_end &&
        (source.len - *at < 2 || source.data[*at + 1] == '!'))
        return LEAF_MORE;
    if (stands(source, *at, "<!--"))
        return walk_section(xml, state, source, at, at_end, 4, FORM_COMMENT, leaf, ret_found);
    if (stands(source, *at, "<![CDATA["))
        return walk_section(xml, state, source, at, at_end, 9, FORM_CDATA, leaf, ret_found);
    if (stands(source, *at, "<?"))
        return walk_section(xml, state, source, at, at_end, 2, FORM_INSTRUCTION, leaf, ret_found);
    size_t name = *at + 1;
    if (stands(source, *at, "<!DOCTYPE") && source.len - *at > 9 &&
        is_space(source.data[*at + 9])) {
        *ret_found = false;
        state->phase = IN_DOCTYPE;
        state->brackets = state->words = 0;
        *at += 9;
        return LEAF_FOUND;
    }
    bool is_closing = name < source.len && source.data[name] == '/';
    name += is_closing;
    size_t end = name_end(source, name);
    if (end == source.len)
        return at_end ? LEAF_BROKEN : LEAF_MORE;
    if (!is_whole_name((struct text){source.data + name, end - name}) ||
        (is_closing && state->depth == 0))
        return LEAF_BROKEN;
    *ret_found = false;
    *at = end;
    state->phase = IN_TAG;
    state->tag = is_closing ? TAG_CLOSES : TAG_OPENS;
    state->behind_name = state->behind_equals = false;
    return LEAF_FOUND;
}

/* A tag's marks; false: this one cannot stand here. */
static bool take_mark(struct xml_state *state, char c)
{
    if (is_space(c))
        return true;
    if (c == '=') {
        bool may_stand = state->behind_name;
        state->behind_name = false;
        state->behind_equals = true;
        return may_stand;
    }
    if (state->behind_name)
        return false;
    if (c == '"' || c == '\'') {
        bool may_stand = state->behind_equals;
        state->phase = IN_VALUE;
        state->form = c == '"' ? FORM_QUOTES : FORM_APOSTROPHES;
        state->behind_equals = false;
        return may_stand;
    }
    if (state->behind_equals)
        return false;
    if (c == '/') {
        bool may_stand = state->tag == TAG_OPENS;
        state->tag = TAG_IS_EMPTY;
        return may_stand;
    }
    if (c != '>')
        return false;
    state->phase = IN_TEXT;
    if (state->tag == TAG_OPENS)
        state->depth++;
    else if (state->tag == TAG_CLOSES)
        state->depth--;
    return true;
}

static enum leaf_step walk_tag(struct xml_state *state, struct text source, size_t *at, bool at_end,
                               bool *ret_found)
{
    if (!is_name(source.data[*at])) {
        *ret_found = !take_mark(state, source.data[*at]);
        ++*at;
        return *ret_found ? LEAF_BROKEN : LEAF_FOUND;
    }
    *ret_found = true;
    size_t end = name_end(source, *at);
    if (end == source.len)
        return at_end ? LEAF_BROKEN : LEAF_MORE;
    struct text name = {source.data + *at, end - *at};
    if (state->tag != TAG_OPENS || state->behind_name || state->behind_equals ||
        !is_whole_name(name))
        return LEAF_BROKEN;
    *ret_found = false;
    state->behind_name = true;
    state->keeps_value = rh_text_starts_with(name, "xmlns") || rh_text_starts_with(name, "xml:");
    *at = end;
    return LEAF_FOUND;
}

/* A word of a DOCTYPE: its name and where it is from. Between the declarations in its brackets
   there are none. */
static bool takes_word(struct xml_state *state, struct text word)
{
    if (state->brackets == 1)
        return word.data[0] == '%';
    if (state->brackets > 1)
        return true;
    if (++state->words == 1)
        return is_whole_name(word);
    return state->words == 2 && (rh_text_is(word, "SYSTEM") || rh_text_is(word, "PUBLIC"));
}

static enum leaf_step walk_doctype(const struct xml *xml, struct xml_state *state,
                                   struct text source, size_t *at, bool at_end, struct leaf *leaf,
                                   bool *ret_found)
{
    const char c = source.data[*at];
    *ret_found = true;
    if (c == '<' && source.len - *at < 4 && !at_end)
        return LEAF_MORE;
    if (stands(source, *at, "<!--"))
        return walk_section(xml, state, source, at, at_end, 4, FORM_COMMENT, leaf, ret_found);
    if (stands(source, *at, "<?"))
        return walk_section(xml, state, source, at, at_end, 2, FORM_INSTRUCTION, leaf, ret_found);
    if (is_name(c) && c != '[' && c != ']') {
        size_t end = *at;
        while (end < source.len && is_name(source.data[end]) && source.data[end] != '[' &&
               source.data[end] != ']')
            end++;
        if (end == source.len)
            return at_end ? LEAF_BROKEN : LEAF_MORE;
        if (!takes_word(state, (struct text){source.data + *at, end - *at}))
            return LEAF_BROKEN;
        *ret_found = false;
        *at = end;
        return LEAF_FOUND;
    }
    *ret_found = false;
    if (c == '"' || c == '\'') {
        state->phase = IN_VALUE;
        state->form = c == '"' ? FORM_LITERAL_QUOTES : FORM_LITERAL_APOSTROPHES;
        state->keeps_value = false;
    }
    state->brackets += (c == '[' || c == '<') - (c == ']');
    if (c == '>') {
        if (state->brackets == 0)
            state->phase = IN_TEXT;
        else
            state->brackets--;
    }
    ++*at;
    return LEAF_FOUND;
}

/* Text from *at on: between tags, or between quotes. */
static enum leaf_step walk_text(const struct xml *xml, struct text source, size_t *at, bool at_end,
                                enum xml_form form, struct leaf *leaf, bool *ret_found)
{
    *leaf = (struct leaf){.start = *at, .form = form};
    *ret_found = true;
    if (!text_end(source, *at, closing(form)[0], at_end, &leaf->end, &leaf->has_escapes))
        return LEAF_MORE;
    if (leaf->end == *at) {
        *at += own_entity_bytes(source, *at);
        *ret_found = false;
        return LEAF_FOUND;
    }
    *at = leaf->end;
    *ret_found = trim(source, leaf);
    return *ret_found ? found(xml, source, leaf) : LEAF_FOUND;
}

static enum leaf_step walk_value(const struct xml *xml, struct xml_state *state, struct text source,
                                 size_t *at, bool at_end, struct leaf *leaf, bool *ret_found)
{
    if (source.data[*at] == closing(state->form)[0]) {
        *ret_found = false;
        leave_value(state);
        ++*at;
        return LEAF_FOUND;
    }
    if (!state->keeps_value)
        return walk_text(xml, source, at, at_end, state->form, leaf, ret_found);
    *ret_found = false;
    *at = find(source, *at, closing(state->form));
    return LEAF_FOUND;
}

static enum leaf_step next(const void *own, void *state_memory, struct text source, size_t *at,
                           bool at_end, struct leaf *leaf)
{
    const struct xml *xml = own;
    struct xml_state *state = state_memory;
    while (*at < source.len) {
        bool is_found = false;
        enum leaf_step step = LEAF_BROKEN;
        switch (state->phase) {
        case IN_TEXT:
            step = source.data[*at] == '<'
                       ? walk_markup(xml, state, source, at, at_end, leaf, &is_found)
                       : walk_text(xml, source, at, at_end, FORM_TEXT, leaf, &is_found);
            break;
        case IN_TAG:
            step = walk_tag(state, source, at, at_end, &is_found);
            break;
        case IN_VALUE:
            step = walk_value(xml, state, source, at, at_end, leaf, &is_found);
            break;
        case IN_DOCTYPE:
            step = walk_doctype(xml, state, source, at, at_end, leaf, &is_found);
            break;
        }
        state->is_begun |= step == LEAF_FOUND;
        if (is_found)
            return step;
    }
    if (!at_end)
        return LEAF_MORE;
    return state->phase == IN_TEXT && state->depth == 0 ? LEAF_END : LEAF_BROKEN;
}

/* --- leaves as they are written --------------------------------------------------------------- */

static bool has_entities(unsigned form)
{
    return form != FORM_CDATA && form != FORM_COMMENT && form != FORM_INSTRUCTION;
}

static size_t decode(const void *own, unsigned form, struct text inner, char *out)
{
    const struct xml *xml = own;
    size_t written = 0;
    for (size_t at = 0; at < inner.len;) {
        uint32_t point;
        size_t len = has_entities(form) && inner.data[at] == '&' ? read_entity(inner, at, &point)
                                                                 : 0;
        if (len == 0) {
            out[written++] = inner.data[at++];
            continue;
        }
        if (xml->is_single_byte && point >= 0x80)
            out[written++] = 'x';
        else
            written += rh_character_put(point, out + written);
        at += len;
    }
    return written;
}

static void encode_value(unsigned form, struct text value, struct buf *out)
{
    if (!has_entities(form)) {
        rh_buf_add_text(out, value);
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c == '&')
            rh_buf_add_str(out, "&amp;");
        else if (c == '<')
            rh_buf_add_str(out, "&lt;");
        else if (c == '"' && closing(form)[0] == '"')
            rh_buf_add_str(out, "&quot;");
        else if (c == '\'' && closing(form)[0] == '\'')
            rh_buf_add_str(out, "&apos;");
        else
            rh_buf_add(out, &value.data[i], 1);
    }
}

/* Each character as the one in its place was written: length and look stay. */
static bool encode_like(const struct xml *xml, unsigned form, struct text value,
                        struct text pattern, struct buf *out)
{
    size_t before = out->len, was = 0, at = 0;
    while (was < pattern.len && at < value.len) {
        uint32_t point;
        size_t entity = pattern.data[was] == '&' ? read_entity(pattern, was, &point) : 0;
        size_t len = rh_character_bytes(value, at, xml->is_single_byte);
        struct text character = {value.data + at, len};
        if (entity == 0) {
            was += rh_character_bytes(pattern, was, xml->is_single_byte);
            encode_value(form, character, out);
        } else {
            uint32_t now = rh_character_point(character);
            if (now == point)
                rh_buf_add(out, pattern.data + was, entity);
            else if (pattern.data[was + 2] == 'x')
                rh_buf_printf(out, "&#x%X;", now);
            else
                rh_buf_printf(out, "&#%u;", now);
            was += entity;
        }
        at += len;
    }
    if (was == pattern.len && at == value.len)
        return true;
    out->len = before;
    return false;
}

static void encode(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out)
{
    struct text pattern = {source.data + leaf->start, leaf->end - leaf->start};
    if (!leaf->has_escapes || !has_entities(leaf->form) ||
        !encode_like(own, leaf->form, masked, pattern, out))
        encode_value(leaf->form, masked, out);
}

static bool enter(const void *own, void *state_memory, struct text source, size_t at,
                  struct leaf *leaf)
{
    (void)own;
    const struct xml_state *state = state_memory;
    *leaf = (struct leaf){.open = at, .start = at, .map = LEAF_TEXT, .form = FORM_TEXT};
    if (state->phase == IN_TEXT && stands(source, at, "<!--")) {
        leaf->form = FORM_COMMENT;
        leaf->start += 4;
    } else if (state->phase == IN_TEXT && stands(source, at, "<![CDATA[")) {
        leaf->form = FORM_CDATA;
        leaf->start += 9;
    } else if (state->phase == IN_VALUE) {
        leaf->form = state->form;
    } else if (state->phase != IN_TEXT || source.data[at] == '<') {
        return false;
    }
    return true;
}

/* Never half of an entity, of a character or of what ends the leaf. */
static bool part(const void *own, unsigned form, struct text inner, bool at_end, size_t *ret_len)
{
    (void)own;
    size_t end = find(inner, 0, closing(form));
    *ret_len = end;
    if (end < inner.len || at_end)
        return true;
    size_t hold = inner.len > 16 ? inner.len - 16 : 0;
    for (size_t i = hold; i < inner.len; i++)
        if (inner.data[i] == '&' || inner.data[i] == closing(form)[0]) {
            *ret_len = i;
            return false;
        }
    while (*ret_len > hold && ((unsigned char)inner.data[*ret_len - 1] & 0x80))
        --*ret_len;
    return false;
}

static void encode_part(const void *own, unsigned form, struct text masked, struct buf *out)
{
    (void)own;
    encode_value(form, masked, out);
}

static size_t leave(const void *own, void *state_memory, unsigned form)
{
    (void)own;
    struct xml_state *state = state_memory;
    if (state->phase == IN_VALUE)
        leave_value(state);
    return form == FORM_TEXT ? 0 : strlen(closing(form));
}

static const struct leaf_format format = {
    .state_bytes = sizeof(struct xml_state),
    .begin = begin,
    .next = next,
    .decode = decode,
    .encode = encode,
    .enter = enter,
    .part = part,
    .encode_part = encode_part,
    .leave = leave,
};

static enum err_code open_xml(struct mask_map *map, struct arena *arena, struct err *err)
{
    struct xml *xml = RH_NEW(arena, struct xml);
    xml->is_single_byte = rh_leaves_is_single_byte(map);
    return rh_leaf_kinds_open(map, &format, xml, xml->kinds, arena, err);
}

const struct mask_kind rh_mask_xml = LEAVES_KIND(open_xml);
