/* Reading of .mo files: a sorted table of messages, a table of translations.  A file that is not
 * whole is not used. */
#include "config.h"

#include "src/base/catalogue.h"

#include <stdint.h>
#include <string.h>

#include "src/base/path.h"

enum { FILE_MAX = 8 << 20 };

static const uint32_t MAGIC = 0x950412de;

static uint32_t word_at(const Catalogue *c, size_t at)
{
    uint32_t word;
    memcpy(&word, c->bytes.data + at, sizeof word);
    return word;
}

/* Entry i of the table that word `which` of the head points to: 3 messages, 4 translations. */
static const char *text_at(const Catalogue *c, int which, int i, size_t *len)
{
    size_t entry = word_at(c, 4 * (size_t)which) + 8 * (size_t)i;
    *len = word_at(c, entry);
    return c->bytes.data + word_at(c, entry + 4);
}

static bool is_whole(const Catalogue *c)
{
    size_t size = c->bytes.len;
    if (size < 20 || word_at(c, 0) != MAGIC || word_at(c, 8) > size / 16)
        return false;
    uint32_t n = word_at(c, 8);
    for (int which = 3; which <= 4; which++) {
        size_t table = word_at(c, 4 * (size_t)which);
        if (table > size || 8 * (size_t)n > size - table)
            return false;
        for (uint32_t i = 0; i < n; i++) {
            size_t len = word_at(c, table + 8 * (size_t)i),
                   at = word_at(c, table + 8 * (size_t)i + 4);
            if (at >= size || len >= size - at || c->bytes.data[at + len] != '\0')
                return false;
        }
    }
    return true;
}

static bool read_catalogue(Catalogue *c, const char *folder, Str language, const char *domain)
{
    Buf path = BUF_INIT;
    Error err = ERROR_INIT;
    buf_printf(&path, "%s/%.*s/LC_MESSAGES/%s.mo", folder, (int)language.len, language.data,
               domain);
    catalogue_release(c);
    if (path_read_file(buf_cstr(&path), FILE_MAX, &c->bytes, &err) && is_whole(c)) {
        c->n = (int)word_at(c, 8);
        const char *head = catalogue_find(c, "");
        c->single_form = head && strstr(head, "nplurals=1");
    }
    buf_release(&path);
    return c->n > 0;
}

/* "ja_JP.UTF-8", then "ja_JP", then "ja". */
static bool load_language(Catalogue *c, const char *folder, Str language, const char *domain)
{
    while (language.len > 0) {
        if (read_catalogue(c, folder, language, domain))
            return true;
        do
            language.len--;
        while (language.len > 0 && !strchr("_.@", language.data[language.len]));
    }
    return false;
}

void catalogue_load(Catalogue *c, const char *folder, const char *languages, const char *domain)
{
    catalogue_release(c);
    for (const char *at = languages; *at;) {
        size_t len = strcspn(at, ":"), name = strcspn(at, "_.@:");
        if ((name == 2 && strncmp(at, "en", 2) == 0) || (name == 1 && *at == 'C'))
            return;
        /* A language is a name, not a path. */
        if (len && !memchr(at, '/', len) && load_language(c, folder, str_of(at, len), domain))
            return;
        at += len + (at[len] == ':');
    }
}

void catalogue_release(Catalogue *c)
{
    buf_release(&c->bytes);
    *c = (Catalogue)CATALOGUE_INIT;
}

/* The translation's forms, each with its NUL. */
static const char *find(const Catalogue *c, const char *id, size_t *len)
{
    int low = 0, high = c->n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        size_t ignored;
        /* A message with a plural is "one\0many": it is found by the first. */
        int order = strcmp(id, text_at(c, 3, middle, &ignored));
        if (order == 0) {
            const char *text = text_at(c, 4, middle, len);
            return *text ? text : NULL;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *catalogue_find(const Catalogue *c, const char *id)
{
    size_t len;
    return find(c, id, &len);
}

const char *catalogue_find_plural(const Catalogue *c, const char *id, unsigned long n)
{
    size_t len;
    const char *text = find(c, id, &len);
    if (!text || c->single_form || n == 1)
        return text;
    size_t first = strlen(text);
    return first < len ? text + first + 1 : text;
}
