/* Tensors by name.  Names are looked up by binary search rather than hashed: a file cannot make
 * that slow. */
#include "config.h"

#include "engine/tensors.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/i18n.h"
#include "src/base/mem.h"

FileTensor *tensor_table_add(TensorTable *table, const char *file_name, Error *err)
{
    if (table->n >= TENSORS_MAX) {
        error_set(err, ERR_FORMAT, _("%s: more than %d tensors"), file_name, TENSORS_MAX);
        return NULL;
    }
    table->tensors = mem_grow(table->tensors, &table->cap, table->n + 1, sizeof *table->tensors);
    table->tensors[table->n] = (FileTensor){ .kernel_dtype = -1 };
    return &table->tensors[table->n++];
}

Str tensor_table_keep(TensorTable *table, Str name)
{
    char *copy = xmalloc(name.len + 1);

    memcpy(copy, name.data, name.len);
    copy[name.len] = '\0';
    table->owned =
        mem_grow(table->owned, &table->cap_owned, table->n_owned + 1, sizeof *table->owned);
    table->owned[table->n_owned++] = copy;
    return str_of(copy, name.len);
}

static int compare_names(const void *a, const void *b, void *tensors)
{
    const FileTensor *all = tensors;

    return str_cmp(all[*(const uint32_t *)a].name, all[*(const uint32_t *)b].name);
}

bool tensor_table_finish(TensorTable *table, const char *file_name, Error *err)
{
    free(table->by_name);
    table->by_name = xreallocarray(NULL, table->n + 1, sizeof *table->by_name);
    for (size_t i = 0; i < table->n; i++)
        table->by_name[i] = (uint32_t)i;
    if (table->n > 1)
        qsort_r(table->by_name, table->n, sizeof *table->by_name, compare_names, table->tensors);
    for (size_t i = 1; i < table->n; i++) {
        Str name = table->tensors[table->by_name[i]].name;
        if (str_eq(name, table->tensors[table->by_name[i - 1]].name))
            return error_set(err, ERR_FORMAT, _("%s: tensor %.*s is there twice"), file_name,
                             (int)name.len, name.data);
    }
    return true;
}

const FileTensor *tensor_table_find(const TensorTable *table, Str name)
{
    size_t low = 0, high = table->by_name ? table->n : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const FileTensor *tensor = &table->tensors[table->by_name[middle]];
        int order = str_cmp(name, tensor->name);
        if (order == 0)
            return tensor;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

void tensor_table_release(TensorTable *table)
{
    for (size_t i = 0; i < table->n_owned; i++)
        free(table->owned[i]);
    free(table->owned);
    free(table->tensors);
    free(table->by_name);
    *table = (TensorTable){ 0 };
}

static int compare_ranges(const void *a, const void *b, void *tensors)
{
    const FileTensor *all = tensors, *x = &all[*(const uint32_t *)a],
                     *y = &all[*(const uint32_t *)b];
    uintptr_t start_x = (uintptr_t)x->data, start_y = (uintptr_t)y->data;

    if (start_x != start_y)
        return start_x < start_y ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

bool tensor_table_check_ranges(const TensorTable *table, const TensorSpan *span,
                               const FileTensor **at)
{
    size_t n = table->n - span->from;
    uint32_t *order = xreallocarray(NULL, n + 1, sizeof *order);
    const uint8_t *end = span->start;
    bool ok = true;

    *at = NULL;
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)(span->from + i);
    if (n > 1)
        qsort_r(order, n, sizeof *order, compare_ranges, table->tensors);
    for (size_t i = 0; i < n && ok; i++) {
        const FileTensor *tensor = &table->tensors[order[i]];
        const uint8_t *start = tensor->data;
        ok = span->gapless ? start == end : start >= end || tensor->bytes == 0;
        if (ok && start + tensor->bytes > end)
            end = start + tensor->bytes;
        if (!ok)
            *at = tensor;
    }
    if (ok && span->gapless)
        ok = end == span->end;
    free(order);
    return ok;
}

bool tensor_count(const FileTensor *tensor, uint64_t *out)
{
    uint64_t count = 1;

    for (int i = 0; i < tensor->n_dims; i++)
        if (__builtin_mul_overflow(count, (uint64_t)tensor->dims[i], &count) || count > INT64_MAX)
            return false;
    *out = count;
    return true;
}
