/* See model_files.h. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "src/base/path.h"
#include "tests/hostile.h"
#include "tests/model_files.h"
#include "tests/tiny_model.h"

enum { LIMIT_KB = 200 * 1024 };

char dir[4096];

int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "%s", tiny_temp_dir());
    return 0;
}

int drop_dir(void **state)
{
    (void)state;
    tiny_remove_dir(dir);
    return 0;
}

const char *in_dir(const char *name)
{
    static char path[8192];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

double processor_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

/* The sanitizers' own memory would count. */
void check_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    assert_true(usage.ru_maxrss < LIMIT_KB);
#endif
}

/* Opening must fail with this kind, and one line that has these words. */
void expect_unopened(const char *what, const char *path, ErrorKind kind, const char *words)
{
    Error err = ERROR_INIT;
    double start = processor_ms();
    ModelFile *file = modelfile_open(path, true, &err);
    double took = processor_ms() - start;

    if (file || err.kind != kind || !strstr(err.text, words) || strchr(err.text, '\n') ||
        took > LIMIT_MS)
        print_message("# %s: kind %d, %.0f ms: %s\n", what, (int)err.kind, took, err.text);
    assert_null(file);
    assert_int_equal(err.kind, kind);
    assert_non_null(strstr(err.text, words));
    assert_null(strchr(err.text, '\n'));
    assert_true(took <= LIMIT_MS);
}

Bound bind_at(const char *path, bool with_weights, Error *err)
{
    Bound bound = { modelfile_open(path, with_weights, err), NULL };

    if (bound.file)
        bound.model = model_bind(bound.file, 0, with_weights, err);
    return bound;
}

void unbind(Bound *bound)
{
    model_free(bound->model);
    modelfile_close(bound->file);
}

void expect_unbound(const char *what, const char *path, ErrorKind kind, const char *words)
{
    Error err = ERROR_INIT;
    Bound bound = bind_at(path, true, &err);

    if (bound.model || err.kind != kind || !strstr(err.text, words))
        print_message("# %s: kind %d: %s\n", what, (int)err.kind, err.text);
    assert_null(bound.model);
    assert_int_equal(err.kind, kind);
    assert_non_null(strstr(err.text, words));
    assert_null(strchr(err.text, '\n'));
    modelfile_close(bound.file);
}

static json_t *load_json(const char *name)
{
    json_t *json = json_load_file(in_dir(name), 0, NULL);

    return json ? json : json_object();
}

/* Merges JSON text into a file of the directory; a null removes the key. */
void edit_json(const char *name, const char *text)
{
    json_t *json = load_json(name), *edit = json_loads(text, 0, NULL), *value;
    const char *key;

    assert_non_null(edit);
    json_object_foreach(edit, key, value)
    {
        if (json_is_null(value))
            json_object_del(json, key);
        else
            json_object_set(json, key, value);
    }
    assert_int_equal(json_dump_file(json, in_dir(name), 0), 0);
    json_decref(json);
    json_decref(edit);
}

/* Replaces text in a file by other text of the same length, wherever it is. */
void edit_bytes(const char *name, const char *from, const char *to)
{
    size_t len = strlen(from), n = 0;
    Error err = ERROR_INIT;
    Buf bytes = BUF_INIT;

    assert_int_equal(len, strlen(to));
    assert_true(path_read_file(in_dir(name), 1 << 24, &bytes, &err));
    for (size_t i = 0; i + len <= bytes.len; i++)
        if (memcmp(bytes.data + i, from, len) == 0) {
            memcpy(bytes.data + i, to, len);
            n++;
        }
    assert_true(n > 0);
    hostile_put(in_dir(name), buf_str(&bytes));
    buf_release(&bytes);
}

/* Overwrites data of a tensor in model.safetensors. */
void edit_tensor(const char *tensor, size_t offset, const void *data, size_t bytes)
{
    Error err = ERROR_INIT;
    ModelFile *file = modelfile_open(dir, true, &err);
    const FileTensor *found = file ? modelfile_find(file, tensor) : NULL;
    const char *first;
    uint64_t header;
    int fd;

    assert_non_null(found);
    first = modelfile_tensor_at(file, 0)->data;
    for (size_t i = 0; i < modelfile_n_tensors(file); i++)
        if ((const char *)modelfile_tensor_at(file, i)->data < first)
            first = modelfile_tensor_at(file, i)->data;
    fd = open(in_dir("model.safetensors"), O_RDWR);
    assert_int_equal(pread(fd, &header, 8, 0), 8);
    offset += 8 + header + (size_t)((const char *)found->data - first);
    assert_int_equal(pwrite(fd, data, bytes, (off_t)offset), (ssize_t)bytes);
    close(fd);
    modelfile_close(file);
}
