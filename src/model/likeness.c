#include "model/likeness.h"

#include "model/result.h"
#include "model/result_json_int.h"

#include <string.h>

static const char *cover_name(enum witness_cover cover)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        WITNESS_COVER_LIST(X)
#undef X
    };
    return names[cover];
}

const struct sampled_table *rh_likeness_sampled(const struct likeness *likeness,
                                                const char *relation)
{
    for (size_t i = 0; relation && i < likeness->sampled.count; i++)
        if (strcmp(likeness->sampled.items[i].relation, relation) == 0)
            return &likeness->sampled.items[i];
    return NULL;
}

static json_t *sampled_json(const struct sampled_table *table)
{
    json_t *object = json_object();

    put(object, "relation", rh_json_text(table->relation));
    put(object, "rows", rh_json_count(table->rows));
    put(object, "production_rows", rh_json_count(table->production_rows));
    put(object, "production_rows_exact", json_boolean(table->rows_exact));
    put(object, "sample_fraction", json_real(table->fraction));
    put(object, "reason", rh_json_text(table->reason));
    put(object, "omitted", rh_json_text(table->omitted));
    return object;
}

static json_t *certificate_json(const struct manifest_certificate *certificate)
{
    json_t *object = json_object();

    put(object, "name", rh_json_text(certificate->name));
    put(object, "status", rh_json_text(certificate->status));
    put(object, "detail", rh_json_text(certificate->detail));
    return object;
}

json_t *rh_likeness_to_json(const struct likeness *likeness)
{
    json_t *object;

    if (!likeness->has_manifest)
        return json_null();
    object = json_object();
    put(object, "production_version", rh_json_text(likeness->production_version));
    put(object, "database", rh_json_text(likeness->production_database));
    put(object, "is_standby", json_boolean(likeness->is_standby));
    put(object, "is_masked", json_boolean(likeness->is_masked));
    put(object, "clear_data", rh_json_text(likeness->clear_data));
    put(object, "is_complete", json_boolean(likeness->is_complete));
    put(object, "taken_at", rh_json_text(likeness->taken_at));
    put(object, "production_rows", rh_json_count(likeness->production_rows));
    put(object, "production_bytes", rh_json_count(likeness->production_bytes));
    put(object, "rows", rh_json_count(likeness->rows));
    PUT_ARRAY(object, "sampled_tables", likeness->sampled, sampled_json);
    PUT_ARRAY(object, "certificates", likeness->certificates, certificate_json);
    put(object, "witnesses", rh_json_text(cover_name(likeness->cover)));
    put(object, "not_covered",
        rh_json_texts(likeness->not_covered.items, likeness->not_covered.count));
    put(object, "settings_kept", rh_json_count(likeness->settings_kept));
    put(object, "settings_not_kept",
        rh_json_texts(likeness->settings_not_kept.items, likeness->settings_not_kept.count));
    put(object, "weakened", rh_json_texts(likeness->weakened.items, likeness->weakened.count));
    return object;
}
